#include "knnbert/term/target_losses.hpp"

#include "term/tiny_network.hpp"

using namespace knnbert_test;

namespace {

/// Seven examples of three targets, whose values are rows of one number for each of the three outputs.
TrainingData examples_with_values() {
  const std::vector<label_t> labels{0, 1, 2, 0, 1, 2, 2};
  Matrix values(3, 3);
  const float rows[3][3] = {{1, 0, 1}, {0, 0, 0}, {1, 1, 0}};
  for (index_t t = 0; t < 3; ++t)
    for (index_t c = 0; c < 3; ++c) values(t, c) = rows[t][c];
  return {tiny_examples(labels).tokens(), labels, 3, values};
}

template <class Term, class Loss>
void check(const Loss& loss) {
  auto network = tiny_network();
  const auto data = examples_with_values();
  HandmadeStep step{.network = network, .data = data, .clock = {}, .examples = first_examples(7)};
  Term term{.weight = 0.75f};
  const auto whole = step.add(term, 0, 7, 0.25f);
  Matrix embedding(7, network.width()), logits(7, 3), targets(7, 3), d(7, 3);
  network.embed(network.values(), data.tokens(), std::nullopt, embedding);
  network.logits_of(embedding, logits);
  Batch batch;
  Targets assigned;
  data.assign(step.examples, {}, batch, assigned);
  CHECK(*whole.value == approx(loss(logits, assigned.values, d)));
  CHECK(largest_error(whole.d_logits, [&](index_t b, index_t c) { return double{d(b, c)}; }) < 1e-7);
  float parts = 0;
  for (const auto& [first, count] : {std::pair<index_t, index_t>{0, 2}, {2, 4}, {6, 1}}) {
    const auto part = step.add(term, first, count, 0.25f);
    parts += *part.value;
    for (index_t b = 0; b < count; ++b)
      for (index_t c = 0; c < 3; ++c) CHECK(std::abs(part.d_logits(b, c) - d(first + b, c)) < 1e-7f);
  }
  CHECK(parts == approx(*whole.value));
}

}  // namespace

TEST_CASE("target losses: means over the step, whole and in parts, that take over the weight of idle terms") {
  check<BinaryCrossEntropy>(BinaryCrossEntropyLoss{});
  check<SquaredError>(SquaredErrorLoss{});
}

TEST_CASE("target losses: data without values are refused") {
  auto network = tiny_network();
  const auto data = tiny_examples({0, 1, 2});
  HandmadeStep step{.network = network, .data = data, .clock = {}, .examples = first_examples(3)};
  BinaryCrossEntropy term;
  CHECK_THROWS_AS(step.add(term), ShapeError);
}
