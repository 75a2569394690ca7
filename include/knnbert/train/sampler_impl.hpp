#pragma once
#include <algorithm>

#include "knnbert/config.hpp"
#include "knnbert/train/sampler.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE void spread_tokens(std::span<index_t> examples, const Batch& tokens) {
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

KNNBERT_INLINE std::vector<index_t> balanced_order(const TrainingData& data, const Rng& rng) {
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

KNNBERT_INLINE ShuffledBatches::ShuffledBatches(const TrainingData& data, index_t batch_size, std::uint64_t seed,
                                                std::uint64_t epoch, Sampling sampling)
    : ShuffledBatches(data.size(), batch_size, seed, epoch) {
  if (sampling == Sampling::balanced) order_ = balanced_order(data, Rng(seed, Stream::shuffle, epoch));
  for (index_t b = 0; b < count(); ++b)
    spread_tokens(std::span(order_).subspan(static_cast<std::size_t>(b * batch_size), (*this)[b].size()),
                  data.tokens());
}

KNNBERT_INLINE ShuffledBatches::ShuffledBatches(index_t examples, index_t batch_size, std::uint64_t seed,
                                                std::uint64_t epoch)
    : batch_size_(batch_size), order_(Rng(seed, Stream::shuffle, epoch).permutation(examples)) {}

}  // namespace knnbert::inline v0_1
