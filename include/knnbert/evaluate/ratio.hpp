#pragma once

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

}  // namespace knnbert::inline v0_1
