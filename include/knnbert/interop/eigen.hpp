#pragma once
#include <Eigen/Core>
#include <concepts>
#include <type_traits>

#include "knnbert/core/view.hpp"

/// Views of the library as Eigen maps and back; nothing is copied.
namespace knnbert::inline v0_1 {

using EigenRows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using EigenMap = Eigen::Map<EigenRows, Eigen::Unaligned, Eigen::OuterStride<>>;
using ConstEigenMap = Eigen::Map<const EigenRows, Eigen::Unaligned, Eigen::OuterStride<>>;

inline EigenMap as_eigen(View view) {
  return {view.data(), view.rows(), view.cols(), Eigen::OuterStride<>(view.stride())};
}
inline ConstEigenMap as_eigen(ConstView view) {
  return {view.data(), view.rows(), view.cols(), Eigen::OuterStride<>(view.stride())};
}

/// A row-major Eigen matrix as rows; it must outlive the view. Nothing else, such as a column-major matrix or an
/// expression, is converted to one: that copy would be gone.
template <class M>
  requires std::same_as<std::remove_const_t<M>, EigenRows>
auto as_view(M& matrix) -> std::conditional_t<std::is_const_v<M>, ConstView, View> {
  return {matrix.data(), matrix.rows(), matrix.cols()};
}

}  // namespace knnbert::inline v0_1
