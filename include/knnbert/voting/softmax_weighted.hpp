#pragma once
#include <cmath>

#include "knnbert/voting/concept.hpp"

namespace knnbert::inline v0_1 {

/// p_c proportional to the sum over neighbors of class c of e^(score / T): close neighbors count more, and unlike a
/// count the result moves with every score. T -> 0 is the nearest neighbor, T -> infinity the majority.
/// Errors: OptionError unless T > 0.
struct SoftmaxWeighted {
  static constexpr std::string_view name = "softmax";
  float temperature = 0.1f;

  template <class Visit>
  void settings(Visit&& visit) {
    visit("temperature", temperature, detail::smallest_setting, detail::largest_setting);
  }

  /// Up to a factor that all neighbors share.
  double weight(float score) const { return std::exp((static_cast<double>(score) - 1) / temperature); }

  void operator()(std::span<const Neighbor> neighbors, std::span<float> probabilities) const {
    if (!(temperature > 0))
      raise<OptionError>("SoftmaxWeighted::temperature: {} given, a positive number expected", temperature);
    float best = neighbors.empty() ? 0.0f : neighbors.front().score;
    for (const Neighbor& n : neighbors) best = std::max(best, n.score);
    detail::vote("SoftmaxWeighted", neighbors, probabilities,
                 [&](const Neighbor& n) { return std::exp((static_cast<double>(n.score) - best) / temperature); });
  }
};

}  // namespace knnbert::inline v0_1
