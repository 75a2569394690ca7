#pragma once
#include <algorithm>
#include <cmath>
#include <numeric>

#include "knnbert/config.hpp"
#include "knnbert/evaluate/targets.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE MultiLabelScores multi_label_scores(ConstView gold, ConstView probabilities,
                                                   std::span<const float> thresholds) {
  require_shape("multi_label_scores", probabilities, gold.rows(), std::ssize(thresholds));
  require_shape("multi_label_scores", gold, gold.rows(), std::ssize(thresholds));
  for (index_t i = 0; i < gold.rows(); ++i) detail::require_finite_numbers("multi_label_scores", probabilities.row(i));
  std::vector<index_t> hits(thresholds.size()), support(thresholds.size()), predicted(thresholds.size());
  index_t exact = 0;
  for (index_t i = 0; i < gold.rows(); ++i) {
    bool same = true;
    for (std::size_t c = 0; c < thresholds.size(); ++c) {
      const auto column = static_cast<index_t>(c);
      const bool is = gold(i, column) > 0, told = probabilities(i, column) >= thresholds[c];
      hits[c] += is && told, support[c] += is, predicted[c] += told, same &= is == told;
    }
    exact += same;
  }
  MultiLabelScores scores;
  const auto f1_of = [](index_t hit, index_t sum) {
    return ratio(2 * static_cast<double>(hit), static_cast<double>(sum));
  };
  const auto quotient = [](index_t a, index_t b) { return ratio(static_cast<double>(a), static_cast<double>(b)); };
  double sum = 0, present = 0;
  for (std::size_t c = 0; c < thresholds.size(); ++c) {
    const Ratio f1 = f1_of(hits[c], support[c] + predicted[c]);
    scores.per_class.push_back({.precision = quotient(hits[c], predicted[c]),
                                .recall = quotient(hits[c], support[c]),
                                .f1 = f1,
                                .support = support[c],
                                .predicted = predicted[c]});
    if (f1.defined) sum += f1.value, ++present;
  }
  const auto total = [](const std::vector<index_t>& counts) {
    return std::accumulate(counts.begin(), counts.end(), index_t{0});
  };
  scores.macro_f1 = ratio(sum, present);
  scores.micro_f1 = f1_of(total(hits), total(support) + total(predicted));
  scores.subset_accuracy = quotient(exact, gold.rows());
  return scores;
}

KNNBERT_INLINE std::vector<float> best_thresholds(ConstView gold, ConstView probabilities) {
  require_shape("best_thresholds", probabilities, gold.rows(), gold.cols());
  for (index_t i = 0; i < gold.rows(); ++i) detail::require_finite_numbers("best_thresholds", probabilities.row(i));
  std::vector<float> thresholds;
  for (index_t c = 0; c < gold.cols(); ++c) {
    std::vector<std::pair<float, bool>> ranked;
    index_t support = 0;
    for (index_t i = 0; i < gold.rows(); ++i)
      ranked.emplace_back(probabilities(i, c), gold(i, c) > 0), support += gold(i, c) > 0;
    std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    float best = 0.5f;
    double best_f1 = 0;
    index_t hits = 0;
    for (std::size_t i = 0; i < ranked.size(); ++i) {
      hits += ranked[i].second;
      const bool last = i + 1 == ranked.size();
      if (!last && ranked[i + 1].first == ranked[i].first) continue;
      // Where 0.5 lies between two probabilities it is as good as any number there.
      const float above = ranked[i].first, below = last ? 0 : ranked[i + 1].first;
      float between = above >= 0.5f && below < 0.5f ? 0.5f : (above + below) / 2;
      if (!(between > below)) between = above;  // neighbors among floats
      const double f1 = 2 * static_cast<double>(hits) / static_cast<double>(support + static_cast<index_t>(i) + 1);
      if (f1 > best_f1 || (f1 == best_f1 && f1 > 0 && std::abs(between - 0.5f) < std::abs(best - 0.5f)))
        best = between, best_f1 = f1;
    }
    thresholds.push_back(support > 0 ? best : 0.5f);
  }
  return thresholds;
}

KNNBERT_INLINE RegressionScores regression_scores(ConstView gold, ConstView values) {
  require_shape("regression_scores", values, gold.rows(), 1);
  require_shape("regression_scores", gold, gold.rows(), 1);
  std::vector<double> x, y;
  double squares = 0;
  for (index_t i = 0; i < gold.rows(); ++i) {
    x.push_back(gold(i, 0)), y.push_back(values(i, 0));
    squares += (x.back() - y.back()) * (x.back() - y.back());
  }
  return {x.empty() ? Ratio() : pearson(x, y), x.empty() ? Ratio() : spearman(x, y),
          x.empty() ? 0 : std::sqrt(squares / static_cast<double>(x.size()))};
}

}  // namespace knnbert::inline v0_1
