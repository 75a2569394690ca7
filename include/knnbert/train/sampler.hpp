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
void spread_tokens(std::span<index_t> examples, const Batch& tokens);

/// As many draws as there are examples, in rounds: one example of every class that has any, the classes in random
/// order. The examples of a class come in random orders, each of them once before any of them again.
std::vector<index_t> balanced_order(const TrainingData& data, const Rng& rng);

/// The batches of an epoch: its examples in random order, cut into pieces; the last one may be smaller.
class ShuffledBatches {
 public:
  /// Each batch with its tokens spread.
  ShuffledBatches(const TrainingData& data, index_t batch_size, std::uint64_t seed, std::uint64_t epoch,
                  Sampling sampling = Sampling::shuffled);
  ShuffledBatches(index_t examples, index_t batch_size, std::uint64_t seed, std::uint64_t epoch);

  static index_t count(index_t examples, index_t batch_size) {
    return examples / batch_size + (examples % batch_size != 0 ? 1 : 0);
  }
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

#if !defined(KNNBERT_COMPILED)
#include "knnbert/train/sampler_impl.hpp"
#endif
