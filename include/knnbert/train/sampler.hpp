#pragma once
#include <span>
#include <vector>

#include "knnbert/core/rng.hpp"

namespace knnbert {

/// The batches of an epoch: a random order of all examples, cut into pieces; the last one may be smaller.
class ShuffledBatches {
 public:
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

}  // namespace knnbert
