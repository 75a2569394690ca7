#pragma once
// LibTorch first: its macros CHECK, ... give way to Catch2's.
#include <ATen/Parallel.h>

#include "encoder/family.hpp"
#include "knnbert/torch/stack.hpp"
#undef CHECK
#undef CHECK_NOTNULL

#include "kernel/values.hpp"
#include "knnbert/encoder/bert_files.hpp"
#include "nn/directional.hpp"

namespace knnbert_test {

using namespace knnbert;

/// ctest runs the cases side by side.
inline const bool one_thread = (at::set_num_threads(1), true);

/// One encoder by both backends.
struct Twins {
  Bert native;
  TorchBert torch;
  ParameterBlock native_values, torch_values;
  BertWorkspace workspace;
  TorchWorkspace torch_workspace;

  explicit Twins(const BertConfig& config, const TorchBertOptions& options = {})
      : native(config), torch(config, options) {
    native_values = declared(native, Layout::panels);
    torch_values = declared(torch, Layout::row_major);
  }
  static Twins random(const BertConfig& config, const TorchBertOptions& options = {}) {
    Twins twins(config, options);
    fill_random(twins.native_values, 1, 0.3);
    fill_random(twins.torch_values, 1, 0.3);
    return twins;
  }
  static Twins loaded(const std::filesystem::path& folder, const TorchBertOptions& options = {}) {
    const BertCheckpoint checkpoint(folder);
    Twins twins(checkpoint.config(), options);
    checkpoint.read(twins.native, twins.native_values);
    checkpoint.read(twins.torch, twins.torch_values);
    return twins;
  }

 private:
  template <class Encoder>
  static ParameterBlock declared(Encoder& encoder, Layout layout) {
    ParameterTable table(layout);
    encoder.declare_dense(table);
    encoder.declare_lookup(table);
    return ParameterBlock(std::make_shared<const ParameterTable>(std::move(table)));
  }
};

inline BertConfig twin_config(ActivationKind activation = ActivationKind::gelu,
                              const BertFamily& family = bert_family) {
  return in_family({.vocab_size = 41,
                    .hidden_size = 20,
                    .num_hidden_layers = 3,
                    .num_attention_heads = 2,
                    .intermediate_size = 37,
                    .max_position_embeddings = 24,
                    .hidden_act = activation},
                   family);
}

/// Texts of given lengths with random tokens; the second half of every other one is the second text of a pair.
inline Batch twin_batch(const BertConfig& config, std::span<const index_t> lengths, std::uint64_t seed = 7) {
  Batch batch;
  const Rng rng(seed, Stream::sample);
  for (const index_t length : lengths) {
    for (index_t t = 0; t < length; ++t) {
      batch.ids.push_back(
          static_cast<token_t>(rng.below(static_cast<std::uint64_t>(std::ssize(batch.ids)), config.vocab_size)));
      batch.segments.push_back(config.type_vocab_size != 1 && batch.size() % 2 && 2 * t >= length);
    }
    batch.close_text();
  }
  return batch;
}
inline Batch twin_batch(const BertConfig& config, std::initializer_list<index_t> lengths, std::uint64_t seed = 7) {
  return twin_batch(config, std::span(lengths.begin(), lengths.size()), seed);
}

inline double difference(ConstView a, ConstView b) {
  require_shape("difference", a, b.rows(), b.cols());
  return largest_error(a, [&](index_t r, index_t c) { return static_cast<double>(b(r, c)); });
}
inline double magnitude(ConstView a) {
  return largest_error(a, [](index_t, index_t) { return 0.0; });
}

inline Matrix parameter_of(const ParameterBlock& block, index_t number) {
  Matrix m(block.table()[number].rows, block.table()[number].cols);
  block.read(number, m);
  return m;
}

/// Largest difference of the parameters' gradients, each relative to its own largest element. The key bias of attention
/// is left out of its parameter's scale on its own: a softmax does not see a shift, and its gradient is rounding noise.
inline double gradient_difference(const ParameterBlock& a, const ParameterBlock& b) {
  double worst = 0;
  for (index_t p = 0; p < a.table().count(); ++p) {
    const Matrix x = parameter_of(a, p), y = parameter_of(b, p);
    worst = std::max(worst, difference(x, y) / std::max(magnitude(y), 1e-6));
  }
  return worst;
}

}  // namespace knnbert_test
