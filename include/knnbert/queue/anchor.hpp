#pragma once
#include <cmath>
#include <span>

#include "knnbert/core/top_k.hpp"
#include "knnbert/kernel/masked_softmax.hpp"

/// The loss of one anchor over its row of similarities.
namespace knnbert::inline v0_1 {

/// log(1 + e^x) and the logistic function without overflow.
inline double softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }
inline double logistic(double x) { return x > 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }

namespace detail {

struct AnchorOutcome {
  double loss = 0, mean_positive = 0, mean_negative = 0;
};

/// loss = weight * sum over positives of softplus(logZ - s / T), logZ = log sum over negatives of e^(s / T): other
/// positives are not in the denominator.
/// row holds the similarities of the negatives and kernel::excluded elsewhere, padded; it receives the gradient with
/// respect to the similarities: A pi_n / T at negative n, A = weight * sum of r_j, r_j = logistic(logZ - s_j / T).
/// residuals receives weight * r_j / T, to be subtracted at positive j.
template <class Arch>
AnchorOutcome anchor_loss(float* row, index_t size, std::span<const Scored> positives, double weight,
                          double temperature, std::vector<double>& residuals) {
  AnchorOutcome outcome;
  const double negative_sum = kernel::sum_included<Arch>(row, size);
  const float largest = kernel::largest_included<Arch>(row, size);
  const auto scale = static_cast<float>(1 / temperature);
  const double total = kernel::exponentiate_included<Arch>(row, size, scale, largest);
  // A NaN score poisons the sum of the raw scores; the exponential clamps and would hide it.
  const double log_z =
      std::isfinite(negative_sum) ? largest / temperature + std::log(total) : negative_sum - negative_sum;
  double attraction = 0;
  residuals.clear();
  for (const Scored& positive : positives) {
    const double gap = log_z - positive.score / temperature;
    const double e = std::exp(-std::abs(gap));  // both functions of the gap share it
    outcome.loss += weight * (std::max(gap, 0.0) + std::log1p(e));
    outcome.mean_positive += positive.score / static_cast<double>(positives.size());
    residuals.push_back(weight * (gap > 0 ? 1 : e) / (1 + e) / temperature);
    attraction += residuals.back();
  }
  outcome.mean_negative = negative_sum;
  kernel::scale_row<Arch>(row, size, static_cast<float>(attraction / total));
  return outcome;
}

}  // namespace detail
}  // namespace knnbert::inline v0_1
