#pragma once
#include <cmath>

namespace knnbert::inline v0_1 {

/// A quotient that may be 0/0: then its value is 0 and it says so.
struct Ratio {
  double value = 0;
  bool defined = false;
};

/// numerator / denominator; undefined when the denominator is 0.
constexpr Ratio ratio(double numerator, double denominator) {
  if (denominator == 0) return {};
  return {numerator / denominator, true};
}

struct Interval {
  double lower = 0, upper = 1;
};

/// Where a share lies with 95 % confidence, of which `count` of `all` were seen: Wilson's score interval.
/// Wilson 1927.
inline Interval wilson_interval(double count, double all) {
  if (all <= 0) return {};
  constexpr double z = 1.959963984540054;
  const double p = count / all, scale = 1 + z * z / all, middle = (p + z * z / (2 * all)) / scale;
  const double half = z * std::sqrt(p * (1 - p) / all + z * z / (4 * all * all)) / scale;
  return {count <= 0 ? 0 : middle - half, count >= all ? 1 : middle + half};
}

}  // namespace knnbert::inline v0_1
