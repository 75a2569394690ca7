// Gradients and training steps against PyTorch: tests/reference/training.py writes the dumps.
#include "../encoder/reference.hpp"
#include "knnbert/model/network.hpp"
#include "knnbert/term/cross_entropy.hpp"
#include "knnbert/term/queue_contrastive.hpp"
#include "knnbert/train/stepper.hpp"

using namespace knnbert_test;

namespace {

struct TestStack {
  using encoder_type = Bert;
  using head_type = MlpHead;
  using metric_type = Cosine;
};
using TestNetwork = Network<TestStack>;

/// Draws what the dump drew.
struct ReplaySampler {
  std::vector<std::int64_t> warm_up, positives;  // [N], [steps * B * R]
  std::shared_ptr<index_t> used = std::make_shared<index_t>(0);

  std::vector<index_t> order(const TrainingData&, const Rng&) const { return {warm_up.begin(), warm_up.end()}; }
  void draw(const TrainingData&, std::span<const index_t>, index_t, index_t count, const Rng&, std::vector<index_t>&, std::vector<index_t>& chosen) const {
    for (index_t i = 0; i < count; ++i) chosen.push_back(positives[static_cast<std::size_t>((*used)++)]);
  }
};
using ReplayContrastive = BasicQueueContrastive<FifoQueue<>, ReplaySampler>;

std::optional<std::filesystem::path> dumps() {
  const auto found = folder("KNNBERT_REFERENCE");
  if (found && std::filesystem::exists(*found / "training_tiny_ce.safetensors")) return found;
  WARN("skipped: KNNBERT_REFERENCE names no folder with training dumps");
  return std::nullopt;
}

double option(const SafeTensors& dump, const std::string& name) {
  const auto tensor = dump.at("option." + name);
  if (tensor.dtype == DType::i64) return static_cast<double>(tensor.as_int64s()[0]);
  return static_cast<double>(tensor.as_floats()[0]);
}

TrainingData read_data(const SafeTensors& dump, index_t classes) {
  std::vector<label_t> labels;
  for (const auto label : dump.at("labels").as_int64s()) labels.push_back(static_cast<label_t>(label));
  return {read_batch(dump), labels, classes};
}

/// An encoder directory plus the heads of a dump.
TestNetwork network_of(const std::filesystem::path& encoder, const SafeTensors& dump, const std::string& pooling_name, index_t threads) {
  const Pooling pooling = pooling_name == "mean" ? Pooling::mean : Pooling::pooler;
  const BertCheckpoint checkpoint(encoder);
  const auto classes = dump.at("classifier.out_proj.weight").shape[0];
  const auto features = dump.at("projection.out_proj.weight").shape[0];
  TestNetwork network(checkpoint.config(), classes, {.pooling = pooling, .projection_width = features, .threads = threads});
  checkpoint.read(network.encoder().layers(), network.values());
  const auto& table = network.values().table();
  for (index_t p = 0; p < table.count(); ++p)
    if (dump.find(table[p].name) && !table[p].name.starts_with("e")) network.values().write(p, read_matrix(dump, table[p].name));
  return network;
}

/// Every 37th element of a parameter of more than 200,000, all of a smaller one, as the dumps store them.
std::vector<float> thinned(const Matrix& m) {
  std::vector<float> all, thin;
  for (index_t r = 0; r < m.rows(); ++r) all.insert(all.end(), m.row(r).begin(), m.row(r).end());
  if (std::ssize(all) <= 200000) return all;
  for (std::size_t i = 0; i < all.size(); i += 37) thin.push_back(all[i]);
  return thin;
}

/// Calls visit(name as in checkpoints, values in their layout) for every parameter of a block.
template <class Visit>
void for_each_tensor(const TestNetwork& network, const ParameterBlock& block, Visit&& visit) {
  const auto& table = block.table();
  auto tensors = checkpoint_tensors(network.encoder().layers(), table);
  for (index_t p = 0; p < table.count(); ++p)
    if (table[p].name.starts_with("classifier.") || table[p].name.starts_with("projection.")) tensors.push_back({table[p].name, p, 0, table[p].rows});
  for (const auto& tensor : tensors) {
    const auto& p = table[tensor.parameter];
    const bool part = p.vector && tensor.rows != p.rows;
    Matrix m(part ? 1 : tensor.rows, part ? tensor.rows : p.cols);
    for (index_t r = 0; r < m.rows(); ++r)
      for (index_t c = 0; c < m.cols(); ++c) m(r, c) = part ? block.data()[p.offset + tensor.first_row + c] : block.data()[p.at(tensor.first_row + r, c)];
    visit(tensor.name, m);
  }
}

float largest(std::span<const float> values) {
  float most = 0;
  for (const float v : values) most = std::max(most, std::fabs(v));
  return most;
}

void check_gradients(TestNetwork& network, const Gradients& gradients, const SafeTensors& dump, const std::string& kind) {
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
  CHECK(compared >= 100);
}

void check_minilm_gradients(const std::string& pooling_name) {
  const auto reference = dumps();
  const auto minilm = folder("KNNBERT_MINILM");
  if (!reference || !minilm) return;
  INFO(pooling_name);
  const SafeTensors dump(*reference / format("training_gradients_{}.safetensors", pooling_name));
  auto network = network_of(*minilm, dump, pooling_name, 2);
  const TrainingData data = read_data(dump, network.classes());
  std::vector<index_t> all(static_cast<std::size_t>(data.size()));
  std::iota(all.begin(), all.end(), index_t{0});
  const TrainerOptions options{.clip_norm = 0, .dropout = false};
  {
    Stepper stepper(network, data, options, CrossEntropy{});
    CHECK(stepper.step({}, all, 0).loss == approx(dump.at("ce.loss").as_floats()[0]).epsilon(1e-5));
    check_gradients(network, stepper.gradients(), dump, "ce");
  }
  const auto lambda = static_cast<float>(option(dump, "lambda"));
  const QueueContrastiveOptions contrastive{.weight = lambda, .momentum = 1, .capacity = 256, .positives = 0, .warm_up = false,
                                            .contrast = {.temperature = static_cast<float>(option(dump, "temperature")),
                                                         .most_similar = static_cast<index_t>(option(dump, "top_k")),
                                                         .least_similar = static_cast<index_t>(option(dump, "end_k"))}};
  Stepper stepper(network, data, options, CrossEntropy{.weight = 1 - lambda}, QueueContrastive(contrastive));
  std::vector<label_t> labels;
  for (const auto label : dump.at("queue.labels").as_int64s()) labels.push_back(static_cast<label_t>(label));
  stepper.term<QueueContrastive>().queue().push(read_matrix(dump, "queue.keys"), labels);
  CHECK(stepper.step({}, all, 0).loss == approx(dump.at("joint.loss").as_floats()[0]).epsilon(1e-5));
  check_gradients(network, stepper.gradients(), dump, "joint");
}

template <class... Terms>
void replay(const SafeTensors& dump, TestNetwork& network, const TrainerOptions& options, Terms... terms) {
  const TrainingData data = read_data(dump, network.classes());
  const auto batches = dump.at("batches");
  const auto indices = batches.as_int64s();
  const index_t steps = batches.shape[0], size = batches.shape[1];
  const auto rates = dump.at("learning_rate").as_floats(), norms = dump.at("gradient_norm").as_floats(), losses = dump.at("loss.total").as_floats();
  Stepper stepper(network, data, options, terms...);
  for (index_t s = 0; s < steps; ++s) {
    const std::vector<index_t> batch(indices.begin() + s * size, indices.begin() + (s + 1) * size);
    const auto report = stepper.step({.step = static_cast<std::uint64_t>(s)}, batch, rates[static_cast<std::size_t>(s)]);
    CAPTURE(s, report.loss, report.gradient_norm);
    CHECK(std::fabs(report.loss - losses[static_cast<std::size_t>(s)]) < 1e-4f);
    CHECK(report.gradient_norm == approx(norms[static_cast<std::size_t>(s)]).epsilon(2e-3));
    CHECK(report.finite);
  }
}

void replay_ce(const std::string& name, const std::filesystem::path& encoder, index_t part_size) {
  const SafeTensors dump(*dumps() / format("training_{}_ce.safetensors", name));
  auto network = network_of(encoder, dump, dump.metadata().at("pooling"), 2);
  replay(dump, network, {.part_size = part_size, .weight_decay = static_cast<float>(option(dump, "weight_decay")),
                         .clip_norm = static_cast<float>(option(dump, "clip")), .dropout = false}, CrossEntropy{});
}

void replay_knn(const std::string& name, const std::filesystem::path& encoder, index_t part_size) {
  const SafeTensors dump(*dumps() / format("training_{}.safetensors", name));
  auto network = network_of(encoder, dump, dump.metadata().at("pooling"), 2);
  const auto number = [&](const std::string& key) { return option(dump, key); };
  const auto lambda = static_cast<float>(number("lambda"));
  const QueueContrastiveOptions contrastive{.weight = lambda, .momentum = static_cast<float>(number("momentum")), .capacity = static_cast<index_t>(number("queue")),
                                            .positives = static_cast<index_t>(number("positives")),
                                            .contrast = {.temperature = static_cast<float>(number("temperature")),
                                                         .most_similar = static_cast<index_t>(number("top_k")),
                                                         .least_similar = static_cast<index_t>(number("end_k"))}};
  const ReplaySampler sampler{dump.at("warmup_order").as_int64s(), dump.at("positives").as_int64s()};
  replay(dump, network, {.part_size = part_size, .weight_decay = static_cast<float>(number("weight_decay")), .clip_norm = static_cast<float>(number("clip")), .dropout = false},
         CrossEntropy{.weight = 1 - lambda}, ReplayContrastive(contrastive, sampler));
}

}  // namespace

TEST_CASE("MiniLM: gradients of cross entropy and of the joint loss equal PyTorch's") {
  check_minilm_gradients("mean");
  check_minilm_gradients("pooler");
}

TEST_CASE("20 steps with cross entropy follow PyTorch's, whole and in parts") {
  const auto reference = dumps();
  if (!reference) return;
  replay_ce("tiny", *reference / "models" / "training_tiny", 0);
  replay_ce("tiny", *reference / "models" / "training_tiny", 3);
  if (const auto minilm = folder("KNNBERT_MINILM")) replay_ce("minilm", *minilm, 0);
}

TEST_CASE("20 steps of KNN-BERT follow PyTorch's, whole and in parts") {
  const auto reference = dumps();
  if (!reference) return;
  replay_knn("tiny_knn", *reference / "models" / "training_tiny", 0);
  replay_knn("tiny_knn", *reference / "models" / "training_tiny", 3);
  replay_knn("tiny_knn_fast", *reference / "models" / "training_tiny", 0);
  if (const auto minilm = folder("KNNBERT_MINILM")) replay_knn("minilm_knn", *minilm, 0);
}
