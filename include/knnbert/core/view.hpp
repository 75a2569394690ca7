#pragma once
#include <algorithm>
#include <span>
#include <type_traits>

#include "knnbert/core/error.hpp"
#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// Rows of floats somewhere else: row i starts at data() + i * stride(). Never owns.
template <class T>
class BasicView {
 public:
  BasicView() = default;
  BasicView(T* data, index_t rows, index_t cols, index_t stride)
      : data_(data), rows_(rows), cols_(cols), stride_(stride) {}
  BasicView(T* data, index_t rows, index_t cols) : BasicView(data, rows, cols, cols) {}

  /// A view of const elements of the same rows.
  operator BasicView<const T>() const requires(!std::is_const_v<T>) { return {data_, rows_, cols_, stride_}; }

  T* data() const { return data_; }
  index_t rows() const { return rows_; }
  index_t cols() const { return cols_; }
  index_t stride() const { return stride_; }
  bool empty() const { return rows_ == 0; }

  T& operator()(index_t row, index_t col) const {
    KNNBERT_ASSERT(row >= 0 && row < rows_ && col >= 0 && col < cols_);
    return data_[row * stride_ + col];
  }
  std::span<T> row(index_t row) const {
    KNNBERT_ASSERT(row >= 0 && row < rows_);
    return {data_ + row * stride_, static_cast<std::size_t>(cols_)};
  }
  void fill(float value) const requires(!std::is_const_v<T>) {
    for (index_t i = 0; i < rows_; ++i) std::fill_n(row(i).data(), cols_, value);
  }
  BasicView row_range(index_t first, index_t count) const {
    KNNBERT_ASSERT(first >= 0 && count >= 0 && first + count <= rows_);
    return {data_ + first * stride_, count, cols_, stride_};
  }
  BasicView col_range(index_t first, index_t count) const {
    KNNBERT_ASSERT(first >= 0 && count >= 0 && first + count <= cols_);
    return {data_ + first, rows_, count, stride_};
  }

 private:
  T* data_ = nullptr;
  index_t rows_ = 0, cols_ = 0, stride_ = 0;
};

using View = BasicView<float>;
using ConstView = BasicView<const float>;

/// Throws ShapeError unless the view has the given shape.
template <class T>
void require_shape(std::string_view where, BasicView<T> view, index_t rows, index_t cols) {
  if (view.rows() == rows && view.cols() == cols) return;
  raise<ShapeError>("{}: [{}, {}] given, [{}, {}] expected", where, view.rows(), view.cols(), rows, cols);
}

}  // namespace knnbert::inline v0_1
