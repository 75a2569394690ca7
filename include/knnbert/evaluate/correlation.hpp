#pragma once
#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <vector>

#include "knnbert/core/error.hpp"
#include "knnbert/core/types.hpp"
#include "knnbert/evaluate/ratio.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

template <class T>
void require_finite_numbers(std::string_view where, std::span<const T> values) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i]))
      raise<Error>("{}: value {} at {} given, finite numbers expected", where, values[i], i);
}

inline void require_pairs(std::string_view where, std::span<const double> x, std::span<const double> y) {
  if (x.size() != y.size()) raise<ShapeError>("{}: {} values given for {} others", where, x.size(), y.size());
  require_finite_numbers(where, x), require_finite_numbers(where, y);
}

inline bool all_equal(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [&](double v) { return v == values.front(); });
}

}  // namespace detail

/// Pearson's r, undefined if either side is constant.  Shapes: x, y [N].  Range [-1, 1].
/// Errors: ShapeError; Error if a value is not finite.
Ratio pearson(std::span<const double> x, std::span<const double> y);

/// Ranks from 1; equal values share the mean of their ranks.  Errors: Error for NaN.
std::vector<double> average_ranks(std::span<const double> values);

/// Spearman's rho: Pearson's r of the average ranks.  Shapes, range and errors as pearson.  Cost: O(N log N).
Ratio spearman(std::span<const double> x, std::span<const double> y);

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/evaluate/correlation_impl.hpp"
#endif
