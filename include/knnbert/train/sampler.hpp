#pragma once
#include <algorithm>
#include <span>
#include <vector>

#include "knnbert/core/rng.hpp"
#include "knnbert/text/training_data.hpp"
#include "knnbert/train/options.hpp"

namespace knnbert::inline v0_1 {

/// Arranges examples so that their halves, the halves of these and so on hold nearly as many tokens each: threads and
/// processes that divide a step get done together (of a batch of 32 short texts in random order, halves differ by 5 %).
inline void spread_tokens(std::span<index_t> examples, const Batch& tokens) {
  const std::size_t half = examples.size() / 2;
  if (half == 0) return;
  std::sort(examples.begin(), examples.end(),
            [&](index_t a, index_t b) { return std::pair(-tokens.length(a), a) < std::pair(-tokens.length(b), b); });
  std::vector<index_t> left, right;
  index_t surplus = 0;  // tokens that the left half has more
  for (const index_t e : examples) {
    const bool to_left = right.size() == examples.size() - half || (left.size() < half && surplus <= 0);
    (to_left ? left : right).push_back(e);
    surplus += to_left ? tokens.length(e) : -tokens.length(e);
  }
  std::copy(right.begin(), right.end(), std::copy(left.begin(), left.end(), examples.begin()));
  spread_tokens(examples.first(half), tokens);
  spread_tokens(examples.subspan(half), tokens);
}

/// As many draws as there are examples, in rounds: one example of every class that has any, the classes in random
/// order. The examples of a class come in random orders, each of them once before any of them again.
inline std::vector<index_t> balanced_order(const TrainingData& data, const Rng& rng) {
  struct ClassDraws {
    std::span<const index_t> examples;
    std::vector<index_t> order;
    index_t drawn = 0;
  };
  std::vector<ClassDraws> classes;
  for (index_t c = 0; c < data.classes(); ++c)
    if (const auto own = data.of_class(static_cast<label_t>(c)); !own.empty()) classes.push_back({own, {}});
  std::vector<index_t> draws, round;
  while (std::ssize(draws) < data.size()) {
    const index_t place = std::ssize(draws) % std::ssize(classes);
    if (place == 0) round = rng.fork(draws.size()).permutation(std::ssize(classes));
    const auto c = static_cast<std::uint64_t>(round[static_cast<std::size_t>(place)]);
    ClassDraws& own = classes[c];
    const index_t count = std::ssize(own.examples), at = own.drawn++ % count;
    if (at == 0) own.order = rng.fork(~c).fork(static_cast<std::uint64_t>(own.drawn)).permutation(count);
    draws.push_back(own.examples[static_cast<std::size_t>(own.order[static_cast<std::size_t>(at)])]);
  }
  return draws;
}

/// The batches of an epoch: its examples in random order, cut into pieces; the last one may be smaller.
class ShuffledBatches {
 public:
  /// Each batch with its tokens spread.
  ShuffledBatches(const TrainingData& data, index_t batch_size, std::uint64_t seed, std::uint64_t epoch,
                  Sampling sampling = Sampling::shuffled)
      : ShuffledBatches(data.size(), batch_size, seed, epoch) {
    if (sampling == Sampling::balanced) order_ = balanced_order(data, Rng(seed, Stream::shuffle, epoch));
    for (index_t b = 0; b < count(); ++b)
      spread_tokens(std::span(order_).subspan(static_cast<std::size_t>(b * batch_size), (*this)[b].size()),
                    data.tokens());
  }
  ShuffledBatches(index_t examples, index_t batch_size, std::uint64_t seed, std::uint64_t epoch)
      : batch_size_(batch_size), order_(Rng(seed, Stream::shuffle, epoch).permutation(examples)) {}

  static index_t count(index_t examples, index_t batch_size) { return (examples + batch_size - 1) / batch_size; }
  index_t count() const { return count(std::ssize(order_), batch_size_); }

  std::span<const index_t> operator[](index_t batch) const {
    const index_t first = batch * batch_size_, size = std::min(batch_size_, std::ssize(order_) - first);
    return std::span(order_).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(size));
  }

 private:
  index_t batch_size_;
  std::vector<index_t> order_;
};

}  // namespace knnbert::inline v0_1
