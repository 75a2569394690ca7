#pragma once
#include <algorithm>
#include <limits>
#include <vector>

#include "knnbert/core/matrix.hpp"
#include "knnbert/kernel/elementary.hpp"

/// Softmax over some elements of a long row: the excluded ones hold `excluded`. Rows are processed in whole vectors, so
/// the caller marks the lanes past the last element as excluded too (pad_excluded). Sums are kept in double from one
/// run of 512 elements to the next: a row of 100,000 loses no digits.
namespace knnbert::inline v0_1::kernel {

inline constexpr float excluded = std::numeric_limits<float>::lowest();

/// Marks the lanes between size and the next multiple of the longest vector.
inline void pad_excluded(float* row, index_t size) {
  for (index_t j = size; j % panel_width != 0; ++j) row[j] = excluded;
}

namespace detail {

/// Sum in double of f(j) over all vectors of the row.
template <class Arch, class F>
KNNBERT_ALWAYS_INLINE double sum_vectors(index_t size, F&& f) {
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

/// Bounds of both ends of a row's ranking: at least `most` included elements are >= above and at least `least` are <=
/// below, and hardly more, from the extremes of groups of elements. Where the row has too few elements, all are.
struct Ends {
  float above, below;
};
template <class Arch>
Ends bound_ends(const float* row, index_t size, index_t most, index_t least) {
  using F = Floats<Arch>;
  constexpr index_t most_groups = 2048;
  constexpr float none = std::numeric_limits<float>::max();
  const index_t wanted = std::max(most, least);
  if (wanted > most_groups / 4) return {excluded, none};
  index_t groups = 64;  // element j belongs to group j % groups; so many that few groups hold two of the wanted
  while (groups < 4 * wanted) groups *= 2;
  alignas(64) float highest[most_groups], lowest[most_groups];
  std::fill_n(highest, groups, excluded);
  std::fill_n(lowest, groups, none);
  for (index_t first = 0; first < size; first += groups)
    for (index_t j = 0; j < groups && first + j < size; j += lanes<Arch>) {
      const F x = load<Arch>(row + first + j);
      store<Arch>(highest + j, xsimd::max(x, load<Arch>(highest + j)));
      store<Arch>(lowest + j, xsimd::min(xsimd::select(x == F(excluded), F(none), x), load<Arch>(lowest + j)));
    }
  const auto at_rank = [groups](float* values, index_t rank, auto before) {
    if (rank == 1) return *std::min_element(values, values + groups, before);
    std::nth_element(values, values + (rank - 1), values + groups, before);
    return values[rank - 1];
  };
  return {most == 0 ? none : at_rank(highest, most, [](float a, float b) { return a > b; }),
          least == 0 ? excluded : at_rank(lowest, least, [](float a, float b) { return a < b; })};
}

/// Appends the places and values of all included elements x >= above or x <= below, and of NaN.
template <class Arch>
void collect_in_ends(const float* row, index_t size, Ends ends, std::vector<index_t>& places,
                     std::vector<float>& values) {
  using F = Floats<Arch>;
  for (index_t first = 0; first < size; first += lanes<Arch>) {
    const F x = load<Arch>(row + first);
    const auto between = x < F(ends.above) && x > F(ends.below);
    if (xsimd::all(between || x == F(excluded))) continue;
    for (index_t j = first; j < std::min(first + lanes<Arch>, size); ++j)
      if (row[j] != excluded && !(row[j] < ends.above && row[j] > ends.below))
        places.push_back(j), values.push_back(row[j]);
  }
}

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

struct BoundEnds : Entry<Ends(const float*, index_t, index_t, index_t)> {
  template <class Arch>
  static constexpr type* function = bound_ends<Arch>;
};
template <>
inline Ends bound_ends<Dispatched>(const float* row, index_t size, index_t most, index_t least) {
  return dispatch<BoundEnds>(row, size, most, least);
}
struct CollectInEnds : Entry<void(const float*, index_t, Ends, std::vector<index_t>&, std::vector<float>&)> {
  template <class Arch>
  static constexpr type* function = collect_in_ends<Arch>;
};
template <>
inline void collect_in_ends<Dispatched>(const float* row, index_t size, Ends ends, std::vector<index_t>& places,
                                        std::vector<float>& values) {
  dispatch<CollectInEnds>(row, size, ends, places, values);
}
struct LargestIncluded : Entry<float(const float*, index_t)> {
  template <class Arch>
  static constexpr type* function = largest_included<Arch>;
};
template <>
inline float largest_included<Dispatched>(const float* row, index_t size) {
  return dispatch<LargestIncluded>(row, size);
}
struct SumIncluded : Entry<double(const float*, index_t)> {
  template <class Arch>
  static constexpr type* function = sum_included<Arch>;
};
template <>
inline double sum_included<Dispatched>(const float* row, index_t size) {
  return dispatch<SumIncluded>(row, size);
}
struct ExponentiateIncluded : Entry<double(float*, index_t, float, float)> {
  template <class Arch>
  static constexpr type* function = exponentiate_included<Arch>;
};
template <>
inline double exponentiate_included<Dispatched>(float* row, index_t size, float scale, float largest) {
  return dispatch<ExponentiateIncluded>(row, size, scale, largest);
}
struct ScaleRow : Entry<void(float*, index_t, float)> {
  template <class Arch>
  static constexpr type* function = scale_row<Arch>;
};
template <>
inline void scale_row<Dispatched>(float* row, index_t size, float factor) {
  dispatch<ScaleRow>(row, size, factor);
}

}  // namespace knnbert::inline v0_1::kernel
