#pragma once
#include <algorithm>
#include <cmath>
#include <numeric>

#include "knnbert/config.hpp"
#include "knnbert/evaluate/correlation.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE Ratio pearson(std::span<const double> x, std::span<const double> y) {
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

KNNBERT_INLINE std::vector<double> average_ranks(std::span<const double> values) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (std::isnan(values[i])) raise<Error>("average_ranks: value {} at {} given, a number expected", values[i], i);
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

KNNBERT_INLINE Ratio spearman(std::span<const double> x, std::span<const double> y) {
  detail::require_pairs("spearman", x, y);
  return pearson(average_ranks(x), average_ranks(y));
}

}  // namespace knnbert::inline v0_1
