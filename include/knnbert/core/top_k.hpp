#pragma once
#include <algorithm>
#include <vector>

#include "knnbert/core/types.hpp"

namespace knnbert {

struct Scored {
  float score;
  index_t index;
};

/// The one ranking of the library: larger score first, smaller index first among equals.
constexpr bool ranks_before(const Scored& a, const Scored& b) {
  return a.score > b.score || (a.score == b.score && a.index < b.index);
}

/// Keeps the k best of a stream of scored indices.  Cost: O(1) for an item below the k-th best, else O(log k).
class TopK {
 public:
  explicit TopK(index_t k) : k_(k) { heap_.reserve(static_cast<std::size_t>(std::min<index_t>(k, 4096))); }

  /// Items at or below this score need not be offered unless fewer than k are held.
  bool admits(float score) const { return std::ssize(heap_) < k_ || (k_ > 0 && score >= heap_.front().score); }

  void offer(Scored item) {
    if (std::ssize(heap_) < k_) {
      heap_.push_back(item);
      std::push_heap(heap_.begin(), heap_.end(), ranks_before);
    } else if (k_ > 0 && ranks_before(item, heap_.front())) {
      std::pop_heap(heap_.begin(), heap_.end(), ranks_before);
      heap_.back() = item;
      std::push_heap(heap_.begin(), heap_.end(), ranks_before);
    }
  }

  /// The kept items, best first; empties the selection.
  std::vector<Scored> take() {
    std::sort_heap(heap_.begin(), heap_.end(), ranks_before);
    return std::move(heap_);
  }

 private:
  index_t k_;
  std::vector<Scored> heap_;  // worst item in front
};

}  // namespace knnbert
