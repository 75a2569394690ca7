#pragma once
#include <limits>

#include "knnbert/kernel/elementary.hpp"

/// Softmax over some elements of a long row: the excluded ones hold `excluded`. Rows are processed in whole vectors, so
/// the caller marks the lanes past the last element as excluded too (pad_excluded). Sums are kept in double from one
/// run of 512 elements to the next: a row of 100,000 loses no digits.
namespace knnbert::kernel {

inline constexpr float excluded = std::numeric_limits<float>::lowest();

/// Marks the lanes between size and the next multiple of the vector length.
template <class Arch>
void pad_excluded(float* row, index_t size) {
  for (index_t j = size; j % lanes<Arch> != 0; ++j) row[j] = excluded;
}

namespace detail {

/// Sum in double of f(j) over all vectors of the row.
template <class Arch, class F>
KNNBERT_INLINE double sum_vectors(index_t size, F&& f) {
  constexpr index_t run = 512;
  double total = 0;
  for (index_t first = 0; first < size; first += run) {
    Floats<Arch> partial(0.0f);
    for (index_t j = first; j < size && j < first + run; j += lanes<Arch>) partial = partial + f(j);
    total += static_cast<double>(sum<Arch>(partial));
  }
  return total;
}

}  // namespace detail

/// Largest element, `excluded` if all are.
template <class Arch>
float largest_included(const float* row, index_t size) {
  Floats<Arch> best(excluded);
  for (index_t j = 0; j < size; j += lanes<Arch>) best = xsimd::max(best, load<Arch>(row + j));
  return largest<Arch>(best);
}

/// Sum of the elements that are not excluded; NaN if one of them is.
template <class Arch>
double sum_included(const float* row, index_t size) {
  return detail::sum_vectors<Arch>(size, [&](index_t j) {
    const auto x = load<Arch>(row + j);
    return xsimd::select(x == Floats<Arch>(excluded), Floats<Arch>(0.0f), x);
  });
}

/// Replaces every element by e^(scale (x - largest)), excluded ones by 0, and returns the sum.
template <class Arch>
double exponentiate_included(float* row, index_t size, float scale, float largest) {
  using F = Floats<Arch>;
  return detail::sum_vectors<Arch>(size, [&](index_t j) {
    const F x = load<Arch>(row + j);
    const F y = xsimd::select(x == F(excluded), F(0.0f), exp<Arch>((x - F(largest)) * F(scale)));
    store<Arch>(row + j, y);
    return y;
  });
}

/// row *= factor, whole vectors.
template <class Arch>
void scale_row(float* row, index_t size, float factor) {
  for (index_t j = 0; j < size; j += lanes<Arch>) store<Arch>(row + j, load<Arch>(row + j) * Floats<Arch>(factor));
}

}  // namespace knnbert::kernel
