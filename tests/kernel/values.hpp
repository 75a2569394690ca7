#pragma once
#include <cmath>
#include <cstring>
#include <limits>

#include "catch.hpp"
#include "knnbert/core/matrix.hpp"
#include "knnbert/core/parameters.hpp"
#include "knnbert/core/rng.hpp"
#include "knnbert/kernel/arch.hpp"

namespace knnbert_test {

using namespace knnbert;

/// Unit roundoff of float.
inline constexpr double roundoff = 0x1p-24;

/// Normal numbers; scratch past the last column holds NaN, which must never reach a result.
inline Matrix random_matrix(index_t rows, index_t cols, std::uint64_t seed, double scale = 1) {
  Matrix m(rows, cols);
  m.fill(std::numeric_limits<float>::quiet_NaN());
  const Rng rng(seed, Stream::noise);
  for (index_t r = 0; r < rows; ++r)
    for (index_t c = 0; c < cols; ++c)
      m(r, c) = static_cast<float>(scale * rng.normal(static_cast<std::uint64_t>(r * cols + c)));
  return m;
}

/// A vector with the zeros that parameters have behind their end.
inline AlignedBuffer<float> random_vector(index_t size, std::uint64_t seed, double scale = 1, double shift = 0) {
  AlignedBuffer<float> v(round_up(size, panel_width));
  const Rng rng(seed, Stream::noise);
  for (index_t i = 0; i < size; ++i)
    v[i] = static_cast<float>(shift + scale * rng.normal(static_cast<std::uint64_t>(i)));
  return v;
}

/// A weight [N, K] in panels.
class Panels {
 public:
  explicit Panels(ConstView weight)
      : cols_(weight.cols()), floats_(round_up(weight.rows(), panel_width) * weight.cols()) {
    for (index_t n = 0; n < weight.rows(); ++n)
      for (index_t k = 0; k < weight.cols(); ++k) at(n, k) = weight(n, k);
  }
  float& at(index_t n, index_t k) const {
    return floats_[(n / panel_width * cols_ + k) * panel_width + n % panel_width];
  }
  float* data() const { return floats_.data(); }
  index_t size() const { return floats_.size(); }

 private:
  index_t cols_;
  AlignedBuffer<float> floats_;
};

inline bool same_bits(ConstView a, ConstView b) {
  if (a.rows() != b.rows() || a.cols() != b.cols()) return false;
  for (index_t r = 0; r < a.rows(); ++r)
    if (std::memcmp(a.row(r).data(), b.row(r).data(), static_cast<std::size_t>(a.cols()) * sizeof(float)) != 0)
      return false;
  return true;
}

/// Largest |given - expected(r, c)|; NaN counts as infinite.
template <class F>
double largest_error(ConstView given, F&& expected) {
  double worst = 0;
  for (index_t r = 0; r < given.rows(); ++r)
    for (index_t c = 0; c < given.cols(); ++c) {
      const double error = std::abs(static_cast<double>(given(r, c)) - expected(r, c));
      if (!(error <= worst)) worst = std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
    }
  return worst;
}

}  // namespace knnbert_test
