#pragma once
#include <cmath>
#include <string>
#include <vector>

#include "knnbert/core/matrix.hpp"
#include "knnbert/core/rng.hpp"

/// Checks that users run on their own policies: each returns the laws that were found broken, empty when all hold.
namespace knnbert::inline v0_1::testing {

using BrokenLaws = std::vector<std::string>;

/// Notes the law unless it holds.
template <class... Arguments>
void expect(BrokenLaws& broken, bool holds, std::string_view law, const Arguments&... arguments) {
  if (!holds) broken.push_back(format(law, arguments...));
}

/// Standard normal rows, a function of seed and stream only.
inline Matrix random_rows(index_t rows, index_t cols, std::uint64_t seed, std::uint64_t stream = 0) {
  Matrix m(rows, cols);
  const Rng rng = Rng(seed, Stream::noise).fork(stream);
  for (index_t i = 0; i < rows; ++i)
    for (index_t j = 0; j < cols; ++j)
      m(i, j) = static_cast<float>(rng.normal(static_cast<std::uint64_t>(i * cols + j)));
  return m;
}

/// Largest deviation of d_x from the central differences of value() with respect to x, relative to the largest
/// element of d_x (at least 1e-3). value reads x, which is restored.
template <class Value>
double gradient_error(View x, ConstView d_x, Value&& value, double h = 1e-3) {
  double worst = 0, scale = 1e-3;
  for (index_t i = 0; i < x.rows(); ++i)
    for (index_t j = 0; j < x.cols(); ++j) {
      const float middle = x(i, j), above = static_cast<float>(middle + h), below = static_cast<float>(middle - h);
      x(i, j) = above;
      const double upper = value();
      x(i, j) = below;
      const double lower = value();
      x(i, j) = middle;
      const double slope = (upper - lower) / (static_cast<double>(above) - below);
      const double error = std::abs(slope - d_x(i, j));
      worst = error > worst || std::isnan(error) ? error : worst;
      scale = std::max(scale, std::abs(static_cast<double>(d_x(i, j))));
    }
  return worst / scale;
}

/// True if both have the same shape and the same bits (0 and -0 differ, NaN equals itself).
inline bool same_bits(ConstView a, ConstView b) {
  if (a.rows() != b.rows() || a.cols() != b.cols()) return false;
  for (index_t i = 0; i < a.rows(); ++i)
    if (a.cols() && std::memcmp(a.row(i).data(), b.row(i).data(), a.row(i).size_bytes()) != 0) return false;
  return true;
}

/// Largest absolute difference; NaN if one is met.
inline double largest_difference(ConstView a, ConstView b) {
  double worst = 0;
  for (index_t i = 0; i < a.rows(); ++i)
    for (index_t j = 0; j < a.cols(); ++j) {
      const double difference = std::abs(static_cast<double>(a(i, j)) - b(i, j));
      if (!(difference <= worst)) worst = difference;
    }
  return worst;
}

}  // namespace knnbert::inline v0_1::testing
