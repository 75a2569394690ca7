#pragma once
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "knnbert/core/matrix.hpp"
#include "knnbert/evaluate/ratio.hpp"

namespace knnbert::inline v0_1 {

/// The plane through the mean of some points in which they spread most.
struct PlaneProjection {
  std::vector<double> mean;                 // [D]
  std::array<std::vector<double>, 2> axes;  // [D] each, orthonormal, the one of larger variance first
  std::array<Ratio, 2> explained;           ///< share of the total variance along each axis; undefined if there is none

  /// Coordinates of rows.  Errors: ShapeError.
  Matrix operator()(ConstView points) const {  // [N, D] -> [N, 2]
    require_shape("PlaneProjection", points, points.rows(), std::ssize(mean));
    Matrix out(points.rows(), 2);
    for (index_t i = 0; i < points.rows(); ++i)
      for (index_t axis = 0; axis < 2; ++axis) {
        double sum = 0;
        for (std::size_t d = 0; d < mean.size(); ++d) sum += (points.row(i)[d] - mean[d]) * axes[as_size(axis)][d];
        out(i, axis) = static_cast<float>(sum);
      }
    return out;
  }
};

namespace detail {

inline std::vector<double> column_means(ConstView points) {  // [N, D]
  std::vector<double> mean(static_cast<std::size_t>(points.cols()));
  for (index_t i = 0; i < points.rows(); ++i)
    for (std::size_t d = 0; d < mean.size(); ++d) {
      const float value = points.row(i)[d];
      if (!std::isfinite(value)) raise<Error>("fit_plane: row {} holds {}, finite numbers expected", i, value);
      mean[d] += value;
    }
  for (double& m : mean) m /= static_cast<double>(std::max<index_t>(points.rows(), 1));
  return mean;
}

/// Lower triangle of the sum of squares and products around the mean, a block of rows at a time.
inline Eigen::MatrixXd scatter_matrix(ConstView points, const std::vector<double>& mean) {  // [N, D] -> [D, D]
  constexpr index_t block_rows = 256;
  Eigen::MatrixXd scatter = Eigen::MatrixXd::Zero(points.cols(), points.cols());
  for (index_t first = 0; first < points.rows(); first += block_rows) {
    const index_t rows = std::min(block_rows, points.rows() - first);
    Eigen::MatrixXd centered(points.cols(), rows);
    for (index_t i = 0; i < rows; ++i)
      for (index_t d = 0; d < points.cols(); ++d) centered(d, i) = points(first + i, d) - mean[as_size(d)];
    scatter.selfadjointView<Eigen::Lower>().rankUpdate(centered);
  }
  return scatter;
}

/// An eigenvector's sign is arbitrary: the component of largest magnitude, the first among equals, becomes positive.
inline void fix_sign(std::vector<double>& axis) {
  const auto largest =
      std::max_element(axis.begin(), axis.end(), [](double a, double b) { return std::abs(a) < std::abs(b); });
  if (largest != axis.end() && *largest < 0)
    for (double& component : axis) component = -component;
}

}  // namespace detail

/// Principal components of rows. With one column the second axis is 0.
/// Shapes: points [N, D].  Errors: Error if a value is not finite.  Cost: O(N D^2 + D^3), O(D^2) memory.
inline PlaneProjection fit_plane(ConstView points) {
  const auto width = static_cast<std::size_t>(points.cols());
  PlaneProjection plane{detail::column_means(points), {std::vector<double>(width), std::vector<double>(width)}, {}};
  if (width == 0) return plane;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(detail::scatter_matrix(points, plane.mean));
  if (solver.info() != Eigen::Success) raise<Error>("fit_plane: the eigenvalues of {} columns did not converge", width);
  const Eigen::VectorXd variances = solver.eigenvalues().cwiseMax(0.0);  // ascending
  for (index_t axis = 0; axis < std::min<index_t>(2, points.cols()); ++axis) {
    const index_t column = points.cols() - 1 - axis;
    for (std::size_t d = 0; d < width; ++d)
      plane.axes[as_size(axis)][d] = solver.eigenvectors()(static_cast<index_t>(d), column);
    detail::fix_sign(plane.axes[as_size(axis)]);
    plane.explained[as_size(axis)] = ratio(variances[column], variances.sum());
  }
  return plane;
}

}  // namespace knnbert::inline v0_1
