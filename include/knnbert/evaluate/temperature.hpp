#pragma once
#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "knnbert/core/view.hpp"
#include "knnbert/evaluate/ratio.hpp"

namespace knnbert::inline v0_1 {

/// softmax(logits / T) with the T that fits held-out labels best.
struct Temperature {
  double value = 1;  ///< in [0.01, 100]; at an end when the labels ask for more, 1 when it makes no difference
  Ratio loss_before, loss_after;  ///< mean -log p_gold at T = 1 and at value, in nats
};

namespace detail {

struct TemperedLoss {
  double value = 0, slope = 0;  // slope with respect to 1/T
};

/// Mean -log softmax(sharpness a)_gold and its derivative E_p[a - a_gold] by the sharpness, which grows with it.
inline TemperedLoss tempered_loss(ConstView logits, std::span<const label_t> gold, double sharpness) {
  TemperedLoss mean;
  for (index_t i = 0; i < logits.rows(); ++i) {
    const auto row = logits.row(i);
    const double top = *std::max_element(row.begin(), row.end());
    const double own = row[static_cast<std::size_t>(gold[static_cast<std::size_t>(i)])];
    double sum = 0, weighted = 0;
    for (const double a : row) {
      const double weight = std::exp(sharpness * (a - top));
      sum += weight, weighted += weight * (a - own);
    }
    mean.value += std::log(sum) + sharpness * (top - own);
    mean.slope += weighted / sum;
  }
  const auto n = static_cast<double>(logits.rows());
  return {mean.value / n, mean.slope / n};
}

inline void require_logits(ConstView logits, std::span<const label_t> gold) {
  if (logits.rows() != std::ssize(gold))
    raise<ShapeError>("fit_temperature: {} rows of logits but {} labels", logits.rows(), gold.size());
  for (index_t i = 0; i < logits.rows(); ++i) {
    const label_t label = gold[static_cast<std::size_t>(i)];
    if (label < 0 || label >= logits.cols())
      raise<ShapeError>("fit_temperature: label {} given, labels in [0, {}) expected", label, logits.cols());
    for (const float a : logits.row(i))
      if (!std::isfinite(a)) raise<Error>("fit_temperature: row {} holds {}, finite logits expected", i, a);
  }
}

}  // namespace detail

/// Temperature scaling (Guo et al. 2017): the loss is convex in 1/T, so its slope is bisected. Decisions do not change.
/// Pass log probabilities as logits where there are no others. Fit on held-out data, never on the training set.
/// Shapes: logits [N, C], gold [N].  Errors: ShapeError; Error if a logit is not finite.  Cost: O(50 N C).
inline Temperature fit_temperature(ConstView logits, std::span<const label_t> gold) {
  detail::require_logits(logits, gold);
  if (logits.empty()) return {};
  const auto before = detail::tempered_loss(logits, gold, 1);
  if (before.slope == 0) return {1, {before.value, true}, {before.value, true}};
  double low = std::log(0.01), high = std::log(100);  // of the sharpness 1/T
  for (int step = 0; step < 50; ++step) {
    const double middle = (low + high) / 2;
    (detail::tempered_loss(logits, gold, std::exp(middle)).slope <= 0 ? low : high) = middle;
  }
  const double sharpness = std::exp((low + high) / 2);
  return {1 / sharpness, {before.value, true}, {detail::tempered_loss(logits, gold, sharpness).value, true}};
}

/// Overwrites every row of logits [N, C] by softmax(row / T).
inline void apply_temperature(double temperature, View logits) {
  for (index_t i = 0; i < logits.rows(); ++i) {
    const auto row = logits.row(i);
    if (row.empty()) return;
    const float top = *std::max_element(row.begin(), row.end());
    double sum = 0;
    for (const float a : row) sum += std::exp((static_cast<double>(a) - top) / temperature);
    for (float& a : row) a = static_cast<float>(std::exp((static_cast<double>(a) - top) / temperature) / sum);
  }
}

}  // namespace knnbert::inline v0_1
