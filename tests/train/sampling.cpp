// Skewed data: the order of balanced epochs, and weights of classes.
#include <set>

#include "catch.hpp"
#include "knnbert/train/class_weights.hpp"
#include "knnbert/train/sampler.hpp"

using namespace knnbert;
using knnbert_test::approx;

namespace {

/// 40 examples of class 0, 10 of class 1, none of class 2, 3 of class 3.
TrainingData skewed() {
  std::vector<label_t> labels(40, 0);
  labels.insert(labels.end(), 10, 1);
  labels.insert(labels.end(), 3, 3);
  Batch tokens;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    tokens.ids.resize(tokens.ids.size() + 1 + i % 7);
    tokens.segments.resize(tokens.ids.size());
    tokens.close_text();
  }
  return {tokens, labels, 4};
}

std::vector<index_t> order_of(const ShuffledBatches& batches) {
  std::vector<index_t> order;
  for (index_t b = 0; b < batches.count(); ++b) order.insert(order.end(), batches[b].begin(), batches[b].end());
  return order;
}

}  // namespace

TEST_CASE("sampling: a balanced epoch has as many draws as examples, of every class the same number") {
  const auto data = skewed();
  const auto draws = balanced_order(data, Rng(5, Stream::shuffle, 2));
  REQUIRE(std::ssize(draws) == data.size());
  std::vector<std::vector<index_t>> by_class(4);
  for (std::size_t i = 0; i < draws.size(); ++i) {
    by_class[static_cast<std::size_t>(data.label(draws[i]))].push_back(draws[i]);
    if (i % 3 == 2)  // a round
      CHECK(std::set{data.label(draws[i]), data.label(draws[i - 1]), data.label(draws[i - 2])}.size() == 3);
  }
  CHECK(by_class[2].empty());
  for (const std::size_t c : {0, 1, 3}) {
    CHECK(std::abs(std::ssize(by_class[c]) - 53 / 3) <= 1);
    // Each example once before any of them again.
    const auto examples = data.of_class(static_cast<label_t>(c));
    for (std::size_t first = 0; first < by_class[c].size(); first += examples.size()) {
      const auto last = std::min(by_class[c].size(), first + examples.size());
      CHECK(std::set(by_class[c].begin() + static_cast<std::ptrdiff_t>(first),
                     by_class[c].begin() + static_cast<std::ptrdiff_t>(last))
                .size() == last - first);
    }
  }
  std::set<std::vector<index_t>> orders_of_three;  // the rare class does not go round and round in one order
  for (std::size_t i = 0; i + 3 <= by_class[3].size(); i += 3)
    orders_of_three.insert({by_class[3][i], by_class[3][i + 1], by_class[3][i + 2]});
  CHECK(orders_of_three.size() > 1);
}

TEST_CASE("sampling: balanced batches depend on seed and epoch alone") {
  const auto data = skewed();
  const auto order = [&](std::uint64_t seed, std::uint64_t epoch) {
    return order_of(ShuffledBatches(data, 8, seed, epoch, Sampling::balanced));
  };
  CHECK(order(1, 0) == order(1, 0));
  CHECK(order(1, 0) != order(1, 1));
  CHECK(order(1, 0) != order(2, 0));
  const ShuffledBatches batches(data, 9, 1, 0, Sampling::balanced);
  CHECK(batches.count() == 6);
  for (index_t b = 0; b < 5; ++b) {
    std::vector<index_t> counts(4);
    for (const index_t e : batches[b]) ++counts[static_cast<std::size_t>(data.label(e))];
    CHECK(counts == std::vector<index_t>{3, 3, 0, 3});
  }
}

/// compute_class_weight('balanced') of scikit-learn 1.9 for 10, 5 and 1 examples.
TEST_CASE("sampling: weights of classes are scikit-learn's, or go with the root, and count 1 in the mean") {
  const std::vector<index_t> counts{10, 5, 1, 0};
  const auto balanced = class_weights(counts, ClassWeighting::balanced);
  CHECK(balanced[0] == approx(0.53333333));
  CHECK(balanced[1] == approx(1.06666667));
  CHECK(balanced[2] == approx(5.33333333));
  CHECK(balanced[3] == 1);
  const auto root = class_weights(counts, ClassWeighting::square_root);
  CHECK(root[1] / root[0] == approx(std::sqrt(2.0)));
  CHECK(root[2] / root[0] == approx(std::sqrt(10.0)));
  for (const auto& weights : {balanced, root}) {
    double sum = 0;
    for (std::size_t c = 0; c < 3; ++c) sum += weights[c] * static_cast<double>(counts[c]);
    CHECK(sum == approx(16));
  }
  CHECK(class_weights(counts, ClassWeighting::none).empty());
}
