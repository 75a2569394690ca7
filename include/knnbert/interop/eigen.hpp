#pragma once
#include <Eigen/Core>

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

/// A row-major Eigen matrix as rows; it must outlive the view.
inline View as_view(EigenRows& matrix) { return {matrix.data(), matrix.rows(), matrix.cols()}; }
inline ConstView as_view(const EigenRows& matrix) { return {matrix.data(), matrix.rows(), matrix.cols()}; }

}  // namespace knnbert::inline v0_1
