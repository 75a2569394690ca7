#pragma once
// A network with the values of a dump, and comparisons with what the dump holds.
#include "encoder/reference.hpp"
#include "knnbert/model/network.hpp"
#include "knnbert/model/stack.hpp"
#include "knnbert/train/stepper.hpp"

namespace knnbert_test {

using namespace knnbert;

/// The folder of dumps, if it has the file.
inline std::optional<std::filesystem::path> folder_with(const std::string& file) {
  const auto found = folder("KNNBERT_REFERENCE");
  if (found && std::filesystem::exists(*found / file)) return found;
  WARN("skipped: KNNBERT_REFERENCE names no folder with " << file);
  return std::nullopt;
}

inline double option(const SafeTensors& dump, const std::string& name) {
  const auto tensor = dump.at("option." + name);
  if (tensor.dtype == DType::i64) return static_cast<double>(tensor.as_int64s()[0]);
  return static_cast<double>(tensor.as_floats()[0]);
}

inline TrainingData read_data(const SafeTensors& dump, index_t classes) {
  std::vector<label_t> labels;
  for (const auto label : dump.at("labels").as_int64s()) labels.push_back(static_cast<label_t>(label));
  return {read_batch(dump), labels, classes};
}

/// An encoder directory plus the heads of a dump.
template <class Network>
Network network_of(const std::filesystem::path& encoder, const SafeTensors& dump, const std::string& pooling_name,
                   index_t threads) {
  const Pooling pooling = pooling_name == "mean" ? Pooling::mean : Pooling::pooler;
  const BertCheckpoint checkpoint(encoder);
  const auto classes = dump.at("classifier.out_proj.weight").shape[0];
  const auto features =
      dump.find("projection.out_proj.weight") ? dump.at("projection.out_proj.weight").shape[0] : index_t{0};
  Network network(checkpoint.config(), classes, {.pooling = pooling, .projection_width = features, .threads = threads});
  checkpoint.read(network.encoder(), network.values());
  const auto& table = network.values().table();
  for (index_t p = 0; p < table.count(); ++p)
    if (dump.find(table[p].name)) network.values().write(p, read_matrix(dump, table[p].name));
  return network;
}

/// Every 37th element of a parameter of more than 200,000, all of a smaller one, as the dumps store them.
inline std::vector<float> thinned(const Matrix& m) {
  std::vector<float> all, thin;
  for (index_t r = 0; r < m.rows(); ++r) all.insert(all.end(), m.row(r).begin(), m.row(r).end());
  if (std::ssize(all) <= 200000) return all;
  for (std::size_t i = 0; i < all.size(); i += 37) thin.push_back(all[i]);
  return thin;
}

/// Calls visit(name as in checkpoints, values in their layout) for every parameter of a block.
template <class Network, class Visit>
void for_each_tensor(const Network& network, const ParameterBlock& block, Visit&& visit) {
  const auto& table = block.table();
  auto tensors = checkpoint_tensors(network.encoder().layers(), table);
  for (index_t p = 0; p < table.count(); ++p)
    if (table[p].name.starts_with("classifier.") || table[p].name.starts_with("projection."))
      tensors.push_back({table[p].name, p, 0, table[p].rows});
  for (const auto& tensor : tensors) {
    const auto& p = table[tensor.parameter];
    const bool part = p.vector && tensor.rows != p.rows;
    Matrix m(part ? 1 : tensor.rows, part ? tensor.rows : p.cols);
    for (index_t r = 0; r < m.rows(); ++r)
      for (index_t c = 0; c < m.cols(); ++c)
        m(r, c) = part ? block.data()[p.offset + tensor.first_row + c] : block.data()[p.at(tensor.first_row + r, c)];
    visit(network.encoder().config().family->name_of(tensor.name), m);
  }
}

inline float largest(std::span<const float> values) {
  float most = 0;
  for (const float v : values) most = std::max(most, std::fabs(v));
  return most;
}

/// Checks all gradients that a dump names KIND.grad.PARAMETER; returns their number.
template <class Network>
index_t compared_gradients(const Network& network, const Gradients& gradients, const SafeTensors& dump,
                           const std::string& kind) {
  index_t compared = 0;
  for_each_tensor(network, gradients.block(), [&](const std::string& name, const Matrix& gradient) {
    const std::string key = kind + ".grad." + name;
    INFO(key);
    if (!dump.find(key)) return;
    auto scale_key = key;  // the gradient of a key bias is rounding noise: a softmax does not see a shift
    if (const auto at = key.find("key.bias"); at != std::string::npos) scale_key.replace(at, 3, "value");
    const auto expected = dump.at(key).as_floats(), own = thinned(gradient);
    REQUIRE(expected.size() == own.size());
    float worst = 0;
    for (std::size_t i = 0; i < own.size(); ++i) worst = std::max(worst, std::fabs(own[i] - expected[i]));
    CHECK(worst <= 1e-4f * largest(dump.at(scale_key).as_floats()));
    ++compared;
  });
  return compared;
}

}  // namespace knnbert_test
