#pragma once
#include <algorithm>
#include <utility>

#include "knnbert/core/gradients.hpp"
#include "knnbert/distributed/team.hpp"

namespace knnbert::inline v0_1 {

/// Sums the gradients of all processes. The dense part of the block is cut into pieces, the last one first: as the
/// backward pass goes from the last layer to the first, a piece travels while the layers before it are still at work.
/// The rows of the lookup table follow, those that any process touched. Gradients on a device are summed there if the
/// team reaches it, the lookup table as a whole; if not, all of them in main memory when the pass is over.
class GradientReducer final : public GradientListener {
 public:
  /// `piece`: floats; long enough that its latency does not count, short enough that a layer has several.
  GradientReducer(Gradients& gradients, Team team, index_t piece = index_t{1} << 19)
      : gradients_(gradients), team_(team), piece_(piece) {}
  GradientReducer(const GradientReducer&) = delete;
  GradientReducer& operator=(const GradientReducer&) = delete;
  /// Where a step failed half-way, what it started ends before the gradients do.
  ~GradientReducer() {
    if (waiting_) team_.abandon();
  }

  /// A step begins: nothing has been summed.  Errors: CommunicationError behind a step that failed half-way.
  void start() {
    if (std::exchange(waiting_, false)) team_.abandon();
    summed_from_ = gradients_.table().dense_size();
  }

  /// Dense gradients at and behind an offset are complete on this process.
  void settled(index_t offset) override {
    if (!gradients_.block().mirrored() || team_.reaches_devices()) sum_from(offset);
  }

  /// All gradients of this process are complete: sums what is left and waits for the rest.
  void finish() {
    sum_from(0);
    if (!gradients_.wants_lookup()) return wait();
    const auto rows = rows_of_all();
    if (on_device()) {
      const index_t dense = gradients_.table().dense_size(), size = gradients_.table().size();
      if (dense < size) start({dense, size});
      return wait();
    }
    const index_t width = gradients_.table().has_lookup() ? gradients_.table().lookup().cols : 0;
    rows_.resize(rows.size() * static_cast<std::size_t>(width));
    exchange(rows, width, [](float* row, float* packed, index_t count) { std::copy_n(row, count, packed); });
    team_.start_all_reduce(rows_);
    wait();
    exchange(rows, width, [](float* row, const float* packed, index_t count) { std::copy_n(packed, count, row); });
  }

 private:
  bool on_device() const { return gradients_.block().mirrored() && team_.reaches_devices(); }

  void start(Range range) {
    waiting_ = true;
    if (on_device()) return team_.start_all_reduce(gradients_.block().mirror_to_write(), range);
    team_.start_all_reduce({gradients_.data() + range.begin, static_cast<std::size_t>(range.end - range.begin)});
  }

  void wait() {
    team_.wait();
    waiting_ = false;
  }

  void sum_from(index_t offset) {
    const index_t first = gradients_.frozen_before();
    while (summed_from_ > first && std::max(first, summed_from_ - piece_) >= offset) {
      const index_t end = std::exchange(summed_from_, std::max(first, summed_from_ - piece_));
      start({summed_from_, end});
    }
  }

  /// Rows that any process touched, ascending; from here on all have touched them.
  std::vector<index_t> rows_of_all() {
    auto rows = gather_values(team_, gradients_.step_rows());
    std::sort(rows.begin(), rows.end());
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    for (const index_t row : rows) gradients_.touch(row);
    return rows;
  }

  template <class Copy>
  void exchange(const std::vector<index_t>& rows, index_t width, Copy&& copy) {
    float* packed = rows_.data();
    for (const index_t row : rows) {
      copy(gradients_.data() + gradients_.table().lookup().offset + row * width, packed, width);
      packed += width;
    }
  }

  Gradients& gradients_;
  Team team_;
  index_t piece_, summed_from_ = 0;
  std::vector<float> rows_;
  bool waiting_ = false;  // for sums that were started
};

}  // namespace knnbert::inline v0_1
