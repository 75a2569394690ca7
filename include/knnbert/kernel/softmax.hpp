#pragma once
#include <cmath>
#include <limits>

#include "knnbert/kernel/elementary.hpp"
#include "knnbert/kernel/layer_norm.hpp"

namespace knnbert::inline v0_1::kernel {

/// Largest of the first `size` elements, at least one; elements behind them do not count.
template <class Arch>
KNNBERT_ALWAYS_INLINE float largest_of(const float* s, index_t size) {
  using F = Floats<Arch>;
  const F lowest(std::numeric_limits<float>::lowest());
  F best = lowest;
  index_t j = 0;
  for (; j + lanes<Arch> <= size; j += lanes<Arch>) best = xsimd::max(best, load<Arch>(s + j));
  if (j < size) best = xsimd::max(best, first_lanes<Arch>(load<Arch>(s + j), size - j, lowest));
  return largest<Arch>(best);
}

/// put(column, numerators) for whole vectors of e^(scale (s - most)), zeros past `size`; returns 1 / their sum. most:
/// largest_of() the row; power(x) is 2^x for x <= 0.
template <class Arch, class Power, class Put>
KNNBERT_ALWAYS_INLINE float softmax_numerators(const float* s, index_t size, float scale, float most, Power&& power,
                                               Put&& put) {
  using F = Floats<Arch>;
  const float binary = scale * 1.44269504f;  // e^(scale s) = 2^(binary s)
  const F shift(-most * binary), factor(binary);
  const auto numerator = [&](index_t at) { return power(xsimd::fma(load<Arch>(s + at), factor, shift)); };
  F total(0.0f);
  index_t j = 0;
  for (; j + lanes<Arch> <= size; j += lanes<Arch>) {
    const F p = numerator(j);
    total = total + p;
    put(j, p);
  }
  if (j < size) {
    const F p = first_lanes<Arch>(numerator(j), size - j, F(0.0f));
    total = total + p;
    put(j, p);
  }
  return 1.0f / sum<Arch>(total);
}

/// Replaces rows by their numerators; the caller multiplies normalize [rows], 1 / their sums, into whatever it computes
/// from them. The largest elements of all rows come first: a row's own would be waited for (a sixth of the time).
template <class Arch>
KNNBERT_ALWAYS_INLINE void softmax_numerators(View s, float scale, float* normalize) {
  for (index_t r = 0; r < s.rows(); ++r) normalize[r] = largest_of<Arch>(s.row(r).data(), s.cols());
  for (index_t r = 0; r < s.rows(); ++r) {
    float* row = s.row(r).data();
    normalize[r] = softmax_numerators<Arch>(
        row, s.cols(), scale, normalize[r], [](Floats<Arch> x) { return exp2_of_negative<Arch>(x); },
        [row](index_t j, Floats<Arch> p) { store<Arch>(row + j, p); });
  }
}

/// d_s = scale * (d_p p - p * sum(d_p p)), in place over d_p; kept = p with dropout, so that d_p kept = d_dropped p.
template <class Arch>
KNNBERT_ALWAYS_INLINE void softmax_backward(const float* p, const float* kept, float* d, index_t size, float scale) {
  using F = Floats<Arch>;
  const F inner(detail::sum_columns<Arch>(size, [&](index_t j) { return load<Arch>(d + j) * load<Arch>(kept + j); }));
  for (index_t j = 0; j < size; j += lanes<Arch>) {
    const F g = load<Arch>(d + j) * load<Arch>(kept + j) - load<Arch>(p + j) * inner;
    store<Arch>(d + j, first_lanes<Arch>(g * F(scale), size - j, F(0.0f)));
  }
}

}  // namespace knnbert::inline v0_1::kernel
