#pragma once
#include <algorithm>

#include "knnbert/core/buffer.hpp"
#include "knnbert/core/view.hpp"

namespace knnbert::inline v0_1 {

/// Width of the panels in which weights are stored: one cache line of floats. Every padded row length is a multiple.
inline constexpr index_t panel_width = 16;

constexpr index_t round_up(index_t value, index_t multiple) { return (value + multiple - 1) / multiple * multiple; }

/// Row length of an activation matrix. One panel more than needed: a stride of a multiple of 4,096 bytes would put all
/// rows of a register tile into one cache set (52 % instead of 90 % of peak at 3,072 columns), and kernels may read and
/// write whole vectors past the last column.
constexpr index_t padded_stride(index_t cols) { return round_up(cols, panel_width) + panel_width; }

/// Rows of floats that it owns. Elements past the last column of a row are scratch for kernels.
class Matrix {
 public:
  using view = View;             ///< how functions write it
  using const_view = ConstView;  ///< how they read it
  using input = ConstView;       ///< how they take it where there may be none

  Matrix() = default;
  Matrix(index_t rows, index_t cols) { resize(rows, cols); }

  /// Keeps the memory when it suffices; the content is unspecified afterwards.
  void resize(index_t rows, index_t cols) {
    rows_ = cols_ = 0;  // empty, should memory not suffice
    buffer_.reserve((rows + 1) * padded_stride(cols));
    rows_ = rows;
    cols_ = cols;
  }
  void fill(float value) { std::fill_n(buffer_.data(), rows_ * stride(), value); }

  index_t rows() const { return rows_; }
  index_t cols() const { return cols_; }
  index_t stride() const { return padded_stride(cols_); }
  float* data() { return buffer_.data(); }
  const float* data() const { return buffer_.data(); }
  float& operator()(index_t row, index_t col) { return View(*this)(row, col); }
  float operator()(index_t row, index_t col) const { return ConstView(*this)(row, col); }
  std::span<float> row(index_t row) { return View(*this).row(row); }
  std::span<const float> row(index_t row) const { return ConstView(*this).row(row); }

  operator View() { return {buffer_.data(), rows_, cols_, stride()}; }
  operator ConstView() const { return {buffer_.data(), rows_, cols_, stride()}; }

 private:
  AlignedBuffer<float> buffer_;
  index_t rows_ = 0, cols_ = 0;
};

/// Copies the elements of equally shaped views.
inline void copy(ConstView from, View to) {
  require_shape("copy", from, to.rows(), to.cols());
  for (index_t i = 0; i < from.rows(); ++i) std::copy_n(from.row(i).data(), from.cols(), to.row(i).data());
}

/// Adds the elements of equally shaped views.
inline void add_rows(ConstView from, View to) {
  require_shape("add_rows", from, to.rows(), to.cols());
  for (index_t i = 0; i < from.rows(); ++i) {
    const float* add = from.row(i).data();
    float* sum = to.row(i).data();
    for (index_t c = 0; c < from.cols(); ++c) sum[c] += add[c];
  }
}

/// Multiplies the elements of a view.
inline void scale_rows(View rows, float factor) {
  for (index_t i = 0; i < rows.rows(); ++i)
    for (float& x : rows.row(i)) x *= factor;
}

/// Overwrites a matrix with a copy, or with zeros [rows, cols] where there are no rows.
inline void assign_rows(ConstView from, index_t rows, index_t cols, Matrix& to) {
  to.resize(rows, cols);
  if (from.empty()) to.fill(0);
  else copy(from, to);
}

}  // namespace knnbert::inline v0_1
