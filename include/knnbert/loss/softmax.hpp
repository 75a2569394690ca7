#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// log sum e^x without overflow; -infinity for an empty row.
inline double log_sum_exp(std::span<const float> row) {
  double largest = -std::numeric_limits<double>::infinity(), total = 0;
  for (const float x : row) largest = std::max(largest, static_cast<double>(x));
  for (const float x : row) total += std::exp(x - largest);
  return row.empty() ? largest : largest + std::log(total);
}

/// probabilities = softmax(logits); the spans may be the same.
inline void softmax(std::span<const float> logits, std::span<float> probabilities) {
  const double normalizer = log_sum_exp(logits);
  for (std::size_t c = 0; c < logits.size(); ++c)
    probabilities[c] = static_cast<float>(std::exp(logits[c] - normalizer));
}

}  // namespace knnbert::inline v0_1
