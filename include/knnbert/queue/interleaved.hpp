#pragma once
#include "knnbert/queue/anchor.hpp"

namespace knnbert::inline v0_1::detail {

/// The released ClusterMoCo: the ranked negatives, each repeated p times (p = number of positives), are cut into p
/// slices of their original length, and positive j is compared with slice j only. Same results as anchor_loss
/// otherwise, but row receives the whole gradient at the negatives, zero elsewhere.
inline AnchorOutcome interleaved_loss(std::span<float> row, std::span<const Scored> negatives,
                                      std::span<const Scored> positives, double weight, double temperature,
                                      std::vector<double>& residuals) {
  AnchorOutcome outcome;
  const auto repeats = positives.size();
  std::fill(row.begin(), row.end(), 0.0f);
  residuals.clear();
  for (std::size_t j = 0; j < repeats; ++j) {
    const auto slice = [&](auto&& visit) {
      for (std::size_t e = j * negatives.size(); e < (j + 1) * negatives.size(); ++e) visit(negatives[e / repeats]);
    };
    double largest = -std::numeric_limits<double>::infinity(), total = 0;
    slice([&](const Scored& n) { largest = std::max(largest, n.score / temperature); });
    slice([&](const Scored& n) { total += std::exp(n.score / temperature - largest); });
    const double gap = largest + std::log(total) - positives[j].score / temperature;
    const double residual = weight * logistic(gap) / temperature;
    slice([&](const Scored& n) {
      row[static_cast<std::size_t>(n.index)] +=
          static_cast<float>(residual * std::exp(n.score / temperature - largest) / total);
    });
    outcome.loss += weight * softplus(gap);
    outcome.mean_positive += positives[j].score / static_cast<double>(repeats);
    residuals.push_back(residual);
  }
  for (const Scored& n : negatives) outcome.mean_negative += n.score;
  return outcome;
}

}  // namespace knnbert::inline v0_1::detail
