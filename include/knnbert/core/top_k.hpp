#pragma once
#include <algorithm>
#include <limits>
#include <vector>

#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

struct Scored {
  float score;
  index_t index;
};

/// The one ranking of the library: larger score first, smaller index first among equals, NaN last.
constexpr bool ranks_before(const Scored& a, const Scored& b) {
  if (a.score > b.score) return true;
  if (a.score < b.score) return false;
  const bool a_number = a.score == a.score, b_number = b.score == b.score;
  return a_number == b_number ? a.index < b.index : a_number;
}

/// Keeps the k best, none for k < 1, of a stream of scored indices. Candidates gather until they are 2 k, then the
/// worse half is dropped.
/// Cost: O(1) an item, amortized.
class TopK {
 public:
  explicit TopK(index_t k) : k_(std::max<index_t>(k, 0)), limit_(k_ > most / 2 ? most : 2 * k_) {
    if (k_ == 0) threshold_ = std::numeric_limits<float>::infinity();
  }

  /// Items of a smaller score need not be offered. Rises now and then while items are offered.
  float threshold() const { return threshold_; }
  bool admits(float score) const { return !(score < threshold_); }

  void offer(Scored item) {
    if (full_ && !ranks_before(item, worst_)) return;
    if (k_ == 0) return;
    items_.push_back(item);
    if (std::ssize(items_) == limit_) cut();
  }

  /// The kept items, best first; empties the selection.
  std::vector<Scored> take() {
    if (std::ssize(items_) > k_) cut();
    std::sort(items_.begin(), items_.end(), ranks_before);
    std::vector<Scored> best = std::move(items_);
    *this = TopK(k_);
    return best;
  }

 private:
  static constexpr index_t most = std::numeric_limits<index_t>::max();

  void cut() {
    std::nth_element(items_.begin(), items_.begin() + (k_ - 1), items_.end(), ranks_before);
    items_.resize(static_cast<std::size_t>(k_));
    worst_ = items_.back();
    threshold_ = worst_.score;
    full_ = true;
  }

  index_t k_, limit_;
  std::vector<Scored> items_;
  Scored worst_{};  // of the k best at the last cut
  bool full_ = false;
  float threshold_ = -std::numeric_limits<float>::infinity();
};

}  // namespace knnbert::inline v0_1
