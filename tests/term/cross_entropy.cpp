#include "term/tiny_network.hpp"

using namespace knnbert_test;

namespace {

const std::vector<label_t> cross_entropy_labels{0, 1, 2, 0, 1, 2, 2};

/// Mean cross entropy with smoothed targets in double.
double mean_loss(const TinyNetwork& network, const TrainingData& data, double smoothing) {
  Matrix embedding(data.size(), network.width()), logits(data.size(), 3);
  network.embed(network.values(), data.tokens(), std::nullopt, embedding);
  network.logits_of(embedding, logits);
  double total = 0;
  for (index_t b = 0; b < data.size(); ++b) {
    double sum = 0;
    for (index_t c = 0; c < 3; ++c) sum += std::exp(static_cast<double>(logits(b, c)));
    for (index_t c = 0; c < 3; ++c)
      total -= ((c == data.label(b)) * (1 - smoothing) + smoothing / 3) * (logits(b, c) - std::log(sum));
  }
  return total / static_cast<double>(data.size());
}

}  // namespace

TEST_CASE("cross entropy: weighted mean over the step, gradient at the logits only") {
  auto network = tiny_network();
  const auto data = tiny_examples(cross_entropy_labels);
  HandmadeStep step{.network = network, .data = data, .clock = {}, .examples = first_examples(7)};
  for (const float smoothing : {0.0f, 0.2f})
    for (const float weight : {1.0f, 0.9f}) {
      CrossEntropy term{.weight = weight, .label_smoothing = smoothing};
      const auto result = step.add(term);
      REQUIRE(result.value);
      CHECK(*result.value == approx(weight * mean_loss(network, data, smoothing)).epsilon(1e-5));
      CHECK(largest_error(result.d_embedding, [](index_t, index_t) { return 0.0; }) == 0);
      for (index_t b = 0; b < 7; ++b) {
        double row = 0, size = 0;
        for (index_t c = 0; c < 3; ++c) row += result.d_logits(b, c), size += std::abs(result.d_logits(b, c));
        CHECK(std::abs(row) < 1e-6);
        CHECK(size > 1e-3);
        CHECK(size <= 2 * weight / 7 + 1e-6);
      }
    }
}

TEST_CASE("cross entropy: takes over the weight of idle terms; parts are shares of the whole") {
  auto network = tiny_network();
  const auto data = tiny_examples(cross_entropy_labels);
  HandmadeStep step{.network = network, .data = data, .clock = {}, .examples = first_examples(7)};
  CrossEntropy full{.weight = 1}, lighter{.weight = 0.75f};
  const auto whole = step.add(full), idle = step.add(lighter, 0, 7, 0.25f);
  CHECK(*idle.value == approx(*whole.value));
  CHECK(same_bits(idle.d_logits, whole.d_logits));
  float sum = 0;
  for (index_t first = 0; first < 7; first += 3) {
    const index_t count = std::min<index_t>(3, 7 - first);
    const auto part = step.add(full, first, count);
    sum += *part.value;
    CHECK(largest_error(part.d_logits, [&](index_t b, index_t c) { return double{whole.d_logits(first + b, c)}; }) <
          1e-7);
  }
  CHECK(sum == approx(*whole.value));
}

/// PyTorch divides by the sum of the weights of the batch, and so does a step that is cut into parts.
TEST_CASE("cross entropy: with weights of the classes the mean is PyTorch's, over all parts of a step") {
  auto network = tiny_network();
  const auto data = tiny_examples(cross_entropy_labels);
  HandmadeStep step{.network = network, .data = data, .clock = {}, .examples = first_examples(7)};
  CrossEntropy plain, weighted{.weight = 0.9f, .class_weights = {0.5f, 2, 1.25f}};
  auto start = step.start();
  plain.begin_step(start), weighted.begin_step(start);
  const double sum = 2 * 0.5 + 2 * 2 + 3 * 1.25;
  double expected = 0;
  for (index_t i = 0; i < 7; ++i)
    expected += weighted.class_weights[static_cast<std::size_t>(data.label(i))] * *step.add(plain, i, 1).value * 7;
  const auto whole = step.add(weighted);
  CHECK(*whole.value == approx(0.9 * expected / sum).epsilon(1e-5));
  float parts = 0;
  for (const auto& [first, count] : {std::pair<index_t, index_t>{0, 2}, {2, 4}, {6, 1}}) {
    const auto part = step.add(weighted, first, count);
    parts += *part.value;
    for (index_t b = 0; b < count; ++b)
      for (index_t c = 0; c < 3; ++c) CHECK(std::abs(part.d_logits(b, c) - whole.d_logits(first + b, c)) < 1e-7f);
  }
  CHECK(parts == approx(*whole.value));
  CrossEntropy short_of_one{.class_weights = {1, 1}};
  CHECK_THROWS_AS(short_of_one.begin_step(start), ShapeError);
}
