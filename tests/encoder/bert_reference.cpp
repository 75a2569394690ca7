// The encoder against what PyTorch and transformers compute: tests/reference/encoder.py writes the dumps.
#include "reference.hpp"

using namespace knnbert_test;

namespace {

constexpr const char* random_models[] = {"tiny",    "odd",        "wide",    "gelu_new",   "relu",
                                         "epsilon", "distilbert", "roberta", "xlm_roberta"};

std::optional<std::filesystem::path> reference_folder() {
  const auto found = folder("KNNBERT_REFERENCE");
  if (!found || !std::filesystem::exists(*found / "encoder_tiny.safetensors")) {
    WARN("skipped: KNNBERT_REFERENCE names no folder with encoder dumps");
    return std::nullopt;
  }
  return found;
}

/// Largest difference of a gradient from the dump, as a part of the dump's largest magnitude. The gradient of a key
/// bias is zero but for rounding, since a softmax does not see a shift: it is measured by the size of its neighbor's.
float relative_error(const SafeTensors& dump, const std::string& name, ConstView gradient) {
  std::string scale = name;
  if (const auto at = name.find("key.bias"); at != std::string::npos) scale.replace(at, 3, "value");
  if (const auto at = name.find("k_lin.bias"); at != std::string::npos) scale.replace(at, 1, "v");
  return max_difference(gradient, read_matrix(dump, name)) /
         std::max(1e-6f, largest_magnitude(read_matrix(dump, scale)));
}

/// Gradient of a checkpoint's tensor, in the checkpoint's layout.
Matrix gradient_of(const CheckpointTensor& tensor, const Gradients& gradients) {
  const auto& p = gradients.table()[tensor.parameter];
  const bool part = p.vector && tensor.rows != p.rows;
  Matrix out(part || p.vector ? 1 : tensor.rows, part ? tensor.rows : p.cols);
  for (index_t r = 0; r < out.rows(); ++r)
    for (index_t c = 0; c < out.cols(); ++c)
      out(r, c) =
          part ? gradients.data()[p.offset + tensor.first_row + c] : gradients.data()[p.at(tensor.first_row + r, c)];
  return out;
}

struct Upstream {
  std::vector<Matrix> hidden;
  Matrix pooled;
  std::vector<HiddenGradient> views;
};

Upstream upstream(const SafeTensors& dump, index_t layers, const std::string& kind, Pooling pooling) {
  Upstream u;
  if (kind == "hidden" || kind == "all")
    for (index_t l = 0; l <= layers; ++l) u.hidden.push_back(read_matrix(dump, format("upstream.hidden.{}", l)));
  for (const Matrix& m : u.hidden) u.views.push_back({.layer = std::ssize(u.views), .rows = m});
  if (kind != "hidden") u.pooled = read_matrix(dump, pooling == Pooling::mean ? "upstream.mean" : "upstream.pooler");
  return u;
}

void check_gradients(const std::string& model, const std::string& kind, Pooling pooling, index_t threads) {
  const auto reference = *reference_folder();
  const SafeTensors dump(reference / format("encoder_{}.safetensors", model));
  const LoadedBert bert(reference / "models" / model);
  if (!bert.encoder.pools(pooling)) return;
  const Workers workers(threads);
  BertTape tape;
  BertWorkspace workspace;
  const Batch batch = read_batch(dump);
  bert.encoder.forward(bert.values, batch, {.pooling = pooling}, tape, workspace, workers);
  const auto u = upstream(dump, tape.layers(), kind, pooling);
  Gradients gradients(bert.values.shared_table());
  Matrix d_output;
  bert.encoder.backward(bert.values, tape,
                        {.d_embedding = u.pooled, .d_hidden = u.views, .parameters = &gradients, .d_output = &d_output},
                        workspace, workers);
  CHECK(relative_error(dump, kind + ".d_embedding_output", d_output) < 2e-5f);
  index_t compared = 0;
  for (const auto& tensor : checkpoint_tensors(bert.encoder.layers(), gradients.table())) {
    const std::string name = kind + ".grad." + bert.encoder.config().family->name_of(tensor.name);
    const Matrix gradient = gradient_of(tensor, gradients);
    INFO(model << " " << name);
    if (!dump.find(name)) {
      CHECK(largest_magnitude(gradient) == 0);
      continue;
    }
    ++compared;
    CHECK(relative_error(dump, name, gradient) < 1e-4f);
  }
  CHECK(compared > 20);
}

}  // namespace

TEST_CASE("random encoders: hidden states and poolings equal PyTorch's") {
  const auto reference = reference_folder();
  if (!reference) return;
  for (const std::string model : random_models) {
    INFO(model);
    const SafeTensors dump(*reference / format("encoder_{}.safetensors", model));
    const LoadedBert bert(*reference / "models" / model);
    const Batch batch = read_batch(dump);
    const Workers workers(2);
    BertTape tape;
    BertWorkspace workspace;
    for (const auto& [name, pooling] :
         {std::pair{"mean", Pooling::mean}, {"cls", Pooling::cls}, {"pooler", Pooling::pooler}}) {
      if (!bert.encoder.pools(pooling)) continue;
      bert.encoder.forward(bert.values, batch, {.pooling = pooling}, tape, workspace, workers);
      CHECK(max_difference(tape.embedding(), read_matrix(dump, name)) < 1e-5f);
      Matrix embedding(batch.size(), bert.encoder.width());
      bert.encoder.encode(bert.values, batch, {.pooling = pooling}, embedding, workspace, workers);
      CHECK(max_difference(embedding, tape.embedding()) == 0);
    }
    for (index_t l = 0; l <= tape.layers(); ++l)
      CHECK(max_difference(tape.hidden(l), read_matrix(dump, format("hidden.{}", l))) < 1e-5f);
  }
}

TEST_CASE("random encoders: every parameter's gradient equals PyTorch's") {
  if (!reference_folder()) return;
  for (const std::string model : random_models) {
    check_gradients(model, "mean", Pooling::mean, 1);
    check_gradients(model, "pooler", Pooling::pooler, 2);
    check_gradients(model, "hidden", Pooling::mean, 3);
  }
}

TEST_CASE("checkpoint layouts: prefix, old names, no pooler, extra tensors, half precision, shards") {
  const auto reference = reference_folder();
  if (!reference) return;
  const SafeTensors dump(*reference / "encoder_tiny.safetensors");
  const Batch batch = read_batch(dump);
  const Workers workers;
  const auto check = [&](const std::string& layout, const SafeTensors& expected, float tolerance) {
    INFO(layout);
    const LoadedBert bert(*reference / "models" / ("tiny_" + layout));
    BertWorkspace workspace;
    Matrix embedding(batch.size(), bert.encoder.width());
    bert.encoder.encode(bert.values, batch, {.pooling = Pooling::mean}, embedding, workspace, workers);
    CHECK(max_difference(embedding, read_matrix(expected, "mean")) < tolerance);
    CHECK(bert.encoder.config().pooler == (layout != "no_pooler"));
    if (layout == "no_pooler")
      CHECK_THROWS_AS(
          bert.encoder.encode(bert.values, batch, {.pooling = Pooling::pooler}, embedding, workspace, workers),
          OptionError);
  };
  for (const std::string layout : {"prefix", "gamma_beta", "no_pooler", "position_ids", "sharded"})
    check(layout, dump, 1e-5f);
  for (const std::string layout : {"f16", "bf16"})
    check(layout, SafeTensors(*reference / format("encoder_tiny_{}.safetensors", layout)), 1e-5f);
}

TEST_CASE("MiniLM: hidden states, pooled output and mean embedding of 500 real texts equal PyTorch's") {
  const auto reference = reference_folder();
  const auto minilm = folder("KNNBERT_MINILM");
  if (!reference) return;
  if (!minilm) {
    WARN("skipped: KNNBERT_MINILM names no encoder directory");
    return;
  }
  const SafeTensors dump(*reference / "encoder_minilm.safetensors");
  const LoadedBert bert(*minilm);
  const Batch batch = read_batch(dump);
  const Workers workers(2);
  BertWorkspace workspace;
  Matrix embedding(batch.size(), bert.encoder.width());
  for (const auto& [name, pooling] :
       {std::pair{"mean", Pooling::mean}, {"cls", Pooling::cls}, {"pooler", Pooling::pooler}}) {
    INFO(name);
    bert.encoder.encode(bert.values, batch, {.pooling = pooling}, embedding, workspace, workers);
    const float difference = max_difference(embedding, read_matrix(dump, name));
    CAPTURE(difference);
    CHECK(difference <= 2e-5f);
  }
  const auto chosen = dump.at("hidden_texts").as_int64s();
  const Batch subset = batch.select(std::vector<index_t>(chosen.begin(), chosen.end()));
  BertTape tape;
  bert.encoder.forward(bert.values, subset, {}, tape, workspace, workers);
  for (index_t l = 0; l <= tape.layers(); ++l) {
    const float difference = max_difference(tape.hidden(l), read_matrix(dump, format("hidden.{}", l)));
    CAPTURE(l, difference);
    CHECK(difference <= 2e-5f);
  }
}
