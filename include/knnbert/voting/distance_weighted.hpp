#pragma once
#include <cmath>

#include "knnbert/voting/concept.hpp"

namespace knnbert::inline v0_1 {

/// p_c proportional to the sum over neighbors of class c of 1 / (distance + epsilon), distance = closest - score >= 0.
struct DistanceWeighted {
  static constexpr std::string_view name = "distance";
  float closest = 1;  ///< the score of equal rows: 1 for Cosine, 0 for Euclidean
  float epsilon = 1e-6f;

  template <class Visit>
  void settings(Visit&& visit) {
    visit("closest", closest, -detail::largest_setting, detail::largest_setting);
    visit("epsilon", epsilon, detail::smallest_setting, detail::largest_setting);
  }

  double weight(float score) const { return 1 / (std::max(0.0, static_cast<double>(closest) - score) + epsilon); }

  void operator()(std::span<const Neighbor> neighbors, std::span<float> probabilities) const {
    if (!(epsilon > 0)) raise<OptionError>("DistanceWeighted::epsilon: {} given, a positive number expected", epsilon);
    if (!std::isfinite(closest)) raise<OptionError>("DistanceWeighted::closest: {} given, a number expected", closest);
    detail::vote("DistanceWeighted", neighbors, probabilities, [&](const Neighbor& n) { return weight(n.score); });
  }
};

}  // namespace knnbert::inline v0_1
