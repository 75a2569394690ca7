#pragma once
#include <cmath>
#include <span>
#include <vector>

#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// How much more an example of a rare class counts: not at all, by 1 / sqrt(n_c), or by 1 / n_c, which gives all
/// classes the same share of the loss.
enum class ClassWeighting { none, square_root, balanced };

/// Weights [C] for CrossEntropy by the numbers n_c of examples, whose mean over the examples is 1; balanced ones are
/// n / (C n_c), as scikit-learn's. C counts the classes that have examples; the others get 1. Empty for none.
inline std::vector<float> class_weights(std::span<const index_t> counts, ClassWeighting weighting) {
  if (weighting == ClassWeighting::none) return {};
  const auto raw = [&](index_t count) {
    const auto n = static_cast<double>(count);
    return weighting == ClassWeighting::balanced ? 1 / n : 1 / std::sqrt(n);
  };
  double examples = 0, total = 0;
  for (const index_t count : counts)
    if (count > 0) examples += static_cast<double>(count), total += static_cast<double>(count) * raw(count);
  std::vector<float> weights;
  for (const index_t count : counts)
    weights.push_back(count > 0 ? static_cast<float>(raw(count) * examples / total) : 1.0f);
  return weights;
}

}  // namespace knnbert::inline v0_1
