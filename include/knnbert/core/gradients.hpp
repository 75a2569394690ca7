#pragma once
#include <algorithm>
#include <span>
#include <vector>

#include "knnbert/core/parameters.hpp"

namespace knnbert::inline v0_1 {

/// Learns how far a backward pass is.
struct GradientListener {
  /// The pass adds nothing more at and behind an offset of the dense part.
  virtual void settled(index_t offset) = 0;

 protected:
  ~GradientListener() = default;
};

/// The gradient twin of a parameter block. Rows of the token embeddings are tracked: a row whose gradient was never
/// set has zero moments, so skipping it in every pass over the block is exact (unless weight decay moves it).
class Gradients {
 public:
  Gradients() = default;
  explicit Gradients(std::shared_ptr<const ParameterTable> table)
      : block_(std::move(table)),
        row_state_(as_size(block_.table().has_lookup() ? block_.table().lookup().rows : 0), untouched) {}

  const ParameterTable& table() const { return block_.table(); }
  float* data() { return block_.data(); }
  const float* data() const { return block_.data(); }
  float* slice(index_t parameter) { return block_.slice(parameter); }
  const float* slice(index_t parameter) const { return block_.slice(parameter); }
  const ParameterBlock& block() const { return block_; }
  ParameterBlock& block() { return block_; }

  /// From now on dense parameters before an offset, and the lookup table, keep their values: backward passes end where
  /// only they are left, and none of the ranges below holds them. Sets all gradients to zero. 0: all move.
  void freeze_before(index_t offset) {
    clear();
    frozen_before_ = offset;
    rows_changed();
  }
  index_t frozen_before() const { return frozen_before_; }
  /// Whether anybody wants gradients of the dense parameters at an offset.
  bool wants(index_t offset) const { return offset >= frozen_before_; }
  bool wants_lookup() const { return frozen_before_ == 0; }

  /// Declares that the row of the lookup table receives a gradient in this step.
  void touch(index_t row) {
    if (row_state_[as_size(row)] == current) return;
    if (row_state_[as_size(row)] == untouched) rows_changed(), rows_.push_back(row);
    row_state_[as_size(row)] = current;
    step_rows_.push_back(row);
  }

  /// Rows declared in this step, in the order of their first declaration.
  std::span<const index_t> step_rows() const { return step_rows_; }

  /// Who learns that gradients are complete while a backward pass still runs; null: nobody.
  void set_listener(GradientListener* listener) { listener_ = listener; }
  /// To be called by backward passes, which go from the last layer to the first.
  void settle(index_t offset) const {
    if (listener_) listener_->settled(offset);
  }

  /// Sets all gradients to zero; rows stay active.
  void clear() {
    if (!block_.clear_mirror()) {
      std::fill(data() + frozen_before_, data() + table().dense_size(), 0.0f);
      for (const index_t row : step_rows_) std::fill_n(lookup_row(row), table().lookup().cols, 0.0f);
    }
    for (const index_t row : step_rows_) row_state_[as_size(row)] = active;
    step_rows_.clear();
  }

  /// Rows that ever received a gradient, ascending.
  const std::vector<index_t>& active_rows() {
    if (!rows_sorted_) std::sort(rows_.begin(), rows_.end());
    rows_sorted_ = true;
    return rows_;
  }

  /// The active rows to or from an archive, ar(name, vector).  Errors: FormatError; then nothing changed.
  template <class Archive>
  void archive_rows(Archive& ar) {
    std::vector<std::int64_t> rows(active_rows().begin(), active_rows().end());
    ar("active_rows", rows);
    for (std::int64_t least = 0; const auto row : rows) {
      if (row < least || row >= std::ssize(row_state_))
        raise<FormatError>("Gradients::archive_rows: row {} given, ascending rows below {} expected", row,
                           row_state_.size());
      least = row + 1;
    }
    if (std::equal(rows.begin(), rows.end(), rows_.begin(), rows_.end()))
      return;  // nothing came back: rows of this
               // step stay known
    clear();
    std::fill(row_state_.begin(), row_state_.end(), untouched);
    rows_.assign(rows.begin(), rows.end());
    rows_changed();
    for (const index_t row : rows_) row_state_[static_cast<std::size_t>(row)] = active;
  }

  /// Calls visit(range) for every part of a block that can be non-zero, in ascending order: the dense part in pieces
  /// of fixed size, then the active rows. A reduction that sums per range, in this order, is deterministic.
  template <class Visit>
  void for_each_range(Visit&& visit) {
    constexpr index_t piece = index_t{1} << 16;
    const index_t dense = table().dense_size();
    for (index_t begin = frozen_before_; begin < dense; begin += piece)
      visit(Range{begin, std::min(dense, begin + piece)});
    if (!table().has_lookup() || !wants_lookup()) return;
    const auto& lookup = table().lookup();
    for (const index_t row : active_rows())
      visit(Range{lookup.offset + row * lookup.cols, lookup.offset + (row + 1) * lookup.cols});
  }
  const std::vector<Range>& ranges() {
    if (ranges_.empty()) for_each_range([&](Range range) { ranges_.push_back(range); });
    return ranges_;
  }
  /// The rest of a block: rows of the lookup table that never received a gradient, in pieces.
  const std::vector<Range>& inactive_ranges() {
    if (!inactive_known_ && table().has_lookup() && wants_lookup()) find_inactive();
    inactive_known_ = true;
    return inactive_;
  }

 private:
  enum RowState : std::uint8_t { untouched, active, current };
  void rows_changed() {
    rows_sorted_ = inactive_known_ = false;
    ranges_.clear();
    inactive_.clear();
  }
  void find_inactive() {
    const Parameter& lookup = table().lookup();
    constexpr index_t piece = 128;  // rows
    index_t next = 0;
    const auto close = [&](index_t row) {
      for (; next < row; next = std::min(row, next + piece))
        inactive_.push_back(
            {lookup.offset + next * lookup.cols, lookup.offset + std::min(row, next + piece) * lookup.cols});
      next = row + 1;
    };
    for (const index_t row : active_rows()) close(row);
    close(lookup.rows);
  }
  float* lookup_row(index_t row) { return data() + table().lookup().offset + row * table().lookup().cols; }

  ParameterBlock block_;
  std::vector<RowState> row_state_;
  std::vector<index_t> step_rows_;
  std::vector<index_t> rows_;
  bool rows_sorted_ = true, inactive_known_ = false;
  index_t frozen_before_ = 0;
  std::vector<Range> ranges_, inactive_;  // kept until there is another active row
  GradientListener* listener_ = nullptr;
};

}  // namespace knnbert::inline v0_1
