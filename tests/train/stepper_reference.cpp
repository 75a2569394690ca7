// Gradients and training steps against PyTorch: tests/reference/training.py writes the dumps.
#include "knnbert/term/cross_entropy.hpp"
#include "knnbert/term/queue_contrastive.hpp"
#include "train/reference_network.hpp"

using namespace knnbert_test;

namespace {

using TestNetwork = Network<DefaultStack>;

/// Draws what the dump drew.
struct ReplaySampler {
  std::vector<std::int64_t> warm_up, positives;  // [N], [steps * B * R]
  std::shared_ptr<index_t> used = std::make_shared<index_t>(0);

  std::vector<index_t> order(const TrainingData&, const Rng&) const { return {warm_up.begin(), warm_up.end()}; }
  void draw(const TrainingData&, std::span<const index_t>, index_t, index_t count, const Rng&, std::vector<index_t>&,
            std::vector<index_t>& chosen) const {
    for (index_t i = 0; i < count; ++i) chosen.push_back(positives[static_cast<std::size_t>((*used)++)]);
  }
};
using ReplayContrastive = BasicQueueContrastive<FifoQueue<>, ReplaySampler>;

std::optional<std::filesystem::path> dumps() { return folder_with("training_tiny_ce.safetensors"); }

void check_minilm_gradients(const std::string& pooling_name) {
  const auto reference = dumps();
  const auto minilm = folder("KNNBERT_MINILM");
  if (!reference || !minilm) return;
  INFO(pooling_name);
  const SafeTensors dump(*reference / format("training_gradients_{}.safetensors", pooling_name));
  auto network = network_of<TestNetwork>(*minilm, dump, pooling_name, 2);
  const TrainingData data = read_data(dump, network.classes());
  std::vector<index_t> all(static_cast<std::size_t>(data.size()));
  std::iota(all.begin(), all.end(), index_t{0});
  const TrainerOptions options{.clip_norm = 0, .dropout = false};
  {
    Stepper stepper(network, data, options, CrossEntropy{});
    CHECK(stepper.step({}, all, 0).loss == approx(dump.at("ce.loss").as_floats()[0]).epsilon(1e-5));
    CHECK(compared_gradients(network, stepper.gradients(), dump, "ce") >= 100);
  }
  const auto lambda = static_cast<float>(option(dump, "lambda"));
  const QueueContrastiveOptions contrastive{.weight = lambda,
                                            .momentum = 1,
                                            .capacity = 256,
                                            .positives = 0,
                                            .warm_up = false,
                                            .contrast = {.temperature = static_cast<float>(option(dump, "temperature")),
                                                         .most_similar = static_cast<index_t>(option(dump, "top_k")),
                                                         .least_similar = static_cast<index_t>(option(dump, "end_k"))}};
  Stepper stepper(network, data, options, CrossEntropy{.weight = 1 - lambda}, QueueContrastive(contrastive));
  std::vector<label_t> labels;
  for (const auto label : dump.at("queue.labels").as_int64s()) labels.push_back(static_cast<label_t>(label));
  stepper.term<QueueContrastive>().queue().push(read_matrix(dump, "queue.keys"), labels);
  CHECK(stepper.step({}, all, 0).loss == approx(dump.at("joint.loss").as_floats()[0]).epsilon(1e-5));
  CHECK(compared_gradients(network, stepper.gradients(), dump, "joint") >= 100);
}

template <class... Terms>
void replay(const SafeTensors& dump, TestNetwork& network, const TrainerOptions& options, Terms... terms) {
  const TrainingData data = read_data(dump, network.classes());
  const auto batches = dump.at("batches");
  const auto indices = batches.as_int64s();
  const index_t steps = batches.shape[0], size = batches.shape[1];
  const auto rates = dump.at("learning_rate").as_floats(), norms = dump.at("gradient_norm").as_floats(),
             losses = dump.at("loss.total").as_floats();
  Stepper stepper(network, data, options, terms...);
  for (index_t s = 0; s < steps; ++s) {
    const std::vector<index_t> batch(indices.begin() + s * size, indices.begin() + (s + 1) * size);
    const auto report =
        stepper.step({.step = static_cast<std::uint64_t>(s)}, batch, rates[static_cast<std::size_t>(s)]);
    CAPTURE(s, report.loss, report.gradient_norm);
    CHECK(std::fabs(report.loss - losses[static_cast<std::size_t>(s)]) < 1e-4f);
    CHECK(report.gradient_norm == approx(norms[static_cast<std::size_t>(s)]).epsilon(2e-3));
    CHECK(report.finite);
  }
}

void replay_ce(const std::string& name, const std::filesystem::path& encoder, index_t part_size) {
  const SafeTensors dump(*dumps() / format("training_{}_ce.safetensors", name));
  auto network = network_of<TestNetwork>(encoder, dump, dump.metadata().at("pooling"), 2);
  replay(dump, network,
         {.part_size = part_size,
          .weight_decay = static_cast<float>(option(dump, "weight_decay")),
          .clip_norm = static_cast<float>(option(dump, "clip")),
          .dropout = false},
         CrossEntropy{});
}

void replay_knn(const std::string& name, const std::filesystem::path& encoder, index_t part_size) {
  const SafeTensors dump(*dumps() / format("training_{}.safetensors", name));
  auto network = network_of<TestNetwork>(encoder, dump, dump.metadata().at("pooling"), 2);
  const auto number = [&](const std::string& key) { return option(dump, key); };
  const auto lambda = static_cast<float>(number("lambda"));
  const QueueContrastiveOptions contrastive{.weight = lambda,
                                            .momentum = static_cast<float>(number("momentum")),
                                            .capacity = static_cast<index_t>(number("queue")),
                                            .positives = static_cast<index_t>(number("positives")),
                                            .contrast = {.temperature = static_cast<float>(number("temperature")),
                                                         .most_similar = static_cast<index_t>(number("top_k")),
                                                         .least_similar = static_cast<index_t>(number("end_k"))}};
  const ReplaySampler sampler{dump.at("warmup_order").as_int64s(), dump.at("positives").as_int64s()};
  replay(dump, network,
         {.part_size = part_size,
          .weight_decay = static_cast<float>(number("weight_decay")),
          .clip_norm = static_cast<float>(number("clip")),
          .dropout = false},
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
  replay_ce("distilbert", *reference / "models" / "training_distilbert", 0);
  replay_ce("roberta", *reference / "models" / "training_roberta", 0);
  if (const auto minilm = folder("KNNBERT_MINILM")) replay_ce("minilm", *minilm, 0);
}

TEST_CASE("20 steps of KNN-BERT follow PyTorch's, whole and in parts") {
  const auto reference = dumps();
  if (!reference) return;
  replay_knn("tiny_knn", *reference / "models" / "training_tiny", 0);
  replay_knn("tiny_knn", *reference / "models" / "training_tiny", 3);
  replay_knn("tiny_knn_fast", *reference / "models" / "training_tiny", 0);
  replay_knn("distilbert_knn", *reference / "models" / "training_distilbert", 0);
  replay_knn("roberta_knn", *reference / "models" / "training_roberta", 0);
  if (const auto minilm = folder("KNNBERT_MINILM")) replay_knn("minilm_knn", *minilm, 0);
}
