#pragma once
#include <cmath>

#include "knnbert/kernel/dot.hpp"

/// Rows of length 1, forward and backward.
namespace knnbert::inline v0_1::kernel {

/// A row shorter than this is taken for zero: its normalized form and its gradient are zero.
inline constexpr double smallest_norm = 1e-12;

/// Euclidean length of a row; squares that leave the range of float are summed in double.
template <class Arch>
double norm(const float* row, index_t width) {
  const float squares = dot<Arch>(row, row, width);
  if (squares > 1e-30f && squares < 1e30f) return std::sqrt(static_cast<double>(squares));
  double exact = 0;
  for (index_t c = 0; c < width; ++c) exact += static_cast<double>(row[c]) * row[c];
  return std::sqrt(exact);
}

/// rows_i /= |rows_i|, in place.  Returns the number of rows that became zero because they were shorter than 1e-12.
template <class Arch>
index_t normalize_rows(View rows) {  // [N, D]
  index_t zeros = 0;
  for (index_t i = 0; i < rows.rows(); ++i) {
    const auto row = rows.row(i);
    const double length = norm<Arch>(row.data(), rows.cols());
    const bool zero = length < smallest_norm;
    zeros += zero;
    for (float& x : row) x = zero ? 0.0f : static_cast<float>(x / length);
  }
  return zeros;
}

/// d_raw_i = (d_i - z_i <z_i, d_i>) / |raw_i| with z the normalized rows; zero rows receive zero.
/// d_raw is overwritten and may be d_normalized.
template <class Arch>
void normalize_rows_backward(ConstView raw,           // [N, D]
                             ConstView normalized,    // [N, D]
                             ConstView d_normalized,  // [N, D]
                             View d_raw) {            // [N, D]
  for (index_t i = 0; i < raw.rows(); ++i) {
    const auto z = normalized.row(i), d = d_normalized.row(i);
    const auto to = d_raw.row(i);
    const double length = norm<Arch>(raw.row(i).data(), raw.cols());
    const bool zero = length < smallest_norm;
    const double along = dot<Arch>(z.data(), d.data(), raw.cols()), scale = zero ? 0.0 : 1 / length;
    for (std::size_t c = 0; c < to.size(); ++c) to[c] = zero ? 0.0f : static_cast<float>((d[c] - z[c] * along) * scale);
  }
}

}  // namespace knnbert::inline v0_1::kernel
