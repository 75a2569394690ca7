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

inline void require_pairs(std::string_view where, std::span<const double> x, std::span<const double> y) {
  if (x.size() != y.size()) raise<ShapeError>("{}: {} values given for {} others", where, x.size(), y.size());
  for (const auto values : {x, y})
    for (std::size_t i = 0; i < values.size(); ++i)
      if (!std::isfinite(values[i]))
        raise<Error>("{}: value {} at {} given, finite numbers expected", where, values[i], i);
}

inline bool all_equal(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [&](double v) { return v == values.front(); });
}

}  // namespace detail

/// Pearson's r, undefined if either side is constant.  Shapes: x, y [N].  Range [-1, 1].
/// Errors: ShapeError; Error if a value is not finite.
inline Ratio pearson(std::span<const double> x, std::span<const double> y) {
  detail::require_pairs("pearson", x, y);
  if (detail::all_equal(x) || detail::all_equal(y)) return {};  // rounding of the mean would leave a variance above 0
  const auto mean = [](std::span<const double> v) {
    return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
  };
  const double mean_x = mean(x), mean_y = mean(y);
  double xy = 0, xx = 0, yy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double dx = x[i] - mean_x, dy = y[i] - mean_y;
    xy += dx * dy, xx += dx * dx, yy += dy * dy;
  }
  const Ratio r = ratio(xy, std::sqrt(xx) * std::sqrt(yy));
  return {std::clamp(r.value, -1.0, 1.0), r.defined};
}

/// Ranks from 1; equal values share the mean of their ranks.
inline std::vector<double> average_ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t first = 0, last; first < order.size(); first = last) {
    for (last = first; last < order.size() && values[order[last]] == values[order[first]];) ++last;
    const double shared = (static_cast<double>(first + last) + 1) / 2;
    for (std::size_t i = first; i < last; ++i) ranks[order[i]] = shared;
  }
  return ranks;
}

/// Spearman's rho: Pearson's r of the average ranks.  Shapes, range and errors as pearson.  Cost: O(N log N).
inline Ratio spearman(std::span<const double> x, std::span<const double> y) {
  detail::require_pairs("spearman", x, y);
  return pearson(average_ranks(x), average_ranks(y));
}

}  // namespace knnbert::inline v0_1
