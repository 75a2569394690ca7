#pragma once
#include "knnbert/voting/concept.hpp"

namespace knnbert::inline v0_1 {

/// Share of the neighbors that belong to each class.  KNN-BERT, arXiv 2110.02523, Eq. 1.
struct MajorityVoting {
  static constexpr std::string_view name = "count";
  static constexpr bool exact() { return true; }  ///< sums of its weights have no rounding

  double weight(float) const { return 1; }

  void operator()(std::span<const Neighbor> neighbors, std::span<float> probabilities) const {
    detail::vote("MajorityVoting", neighbors, probabilities, [&](const Neighbor& n) { return weight(n.score); });
  }
};

}  // namespace knnbert::inline v0_1
