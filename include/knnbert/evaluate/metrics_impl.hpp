#pragma once
#include <cmath>

#include "knnbert/config.hpp"
#include "knnbert/evaluate/metrics.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE std::vector<label_t> argmax_rows(ConstView scores) {  // [N, C]
  std::vector<label_t> labels;
  labels.reserve(static_cast<std::size_t>(scores.rows()));
  for (index_t i = 0; i < scores.rows(); ++i) labels.push_back(argmax(scores.row(i)));
  return labels;
}

KNNBERT_INLINE Ratio accuracy(std::span<const label_t> gold, std::span<const label_t> predicted) {
  if (gold.size() != predicted.size())
    raise<ShapeError>("accuracy: {} gold labels but {} predictions", gold.size(), predicted.size());
  index_t correct = 0;
  for (std::size_t i = 0; i < gold.size(); ++i) correct += gold[i] == predicted[i];
  return ratio(static_cast<double>(correct), static_cast<double>(gold.size()));
}

KNNBERT_INLINE ClassScores class_scores(const ConfusionMatrix& counts, index_t label) {
  if (label < 0 || label >= counts.classes())
    raise<ShapeError>("class_scores: class {} given, classes in [0, {}) expected", label, counts.classes());
  const auto hits = static_cast<double>(counts(label, label));
  const auto support = static_cast<double>(counts.gold_count(label));
  const auto predicted = static_cast<double>(counts.predicted_count(label));
  return {.precision = ratio(hits, predicted),
          .recall = ratio(hits, support),
          .f1 = ratio(2 * hits, support + predicted),
          .support = counts.gold_count(label),
          .predicted = counts.predicted_count(label)};
}

KNNBERT_INLINE std::vector<ClassScores> class_scores(const ConfusionMatrix& counts) {
  std::vector<ClassScores> scores;
  for (index_t c = 0; c < counts.classes(); ++c) scores.push_back(class_scores(counts, c));
  return scores;
}

KNNBERT_INLINE Ratio macro_f1(const ConfusionMatrix& counts) {
  double sum = 0, present = 0;
  for (index_t c = 0; c < counts.classes(); ++c) {
    const Ratio score = class_scores(counts, c).f1;
    if (score.defined) sum += score.value, ++present;
  }
  return ratio(sum, present);
}

KNNBERT_INLINE Ratio matthews(const ConfusionMatrix& counts) {
  const auto n = static_cast<double>(counts.total());
  double both = 0, predicted_squares = 0, gold_squares = 0;
  for (index_t c = 0; c < counts.classes(); ++c) {
    const auto gold = static_cast<double>(counts.gold_count(c));
    const auto predicted = static_cast<double>(counts.predicted_count(c));
    both += predicted * gold;
    predicted_squares += predicted * predicted;
    gold_squares += gold * gold;
  }
  return ratio(static_cast<double>(counts.correct()) * n - both,
               std::sqrt(n * n - predicted_squares) * std::sqrt(n * n - gold_squares));
}

KNNBERT_INLINE Ratio score_of(const ConfusionMatrix& counts, Score score, index_t positive) {
  switch (score) {
    case Score::macro_f1: return macro_f1(counts);
    case Score::f1: return f1(counts, positive);
    case Score::matthews: return matthews(counts);
    case Score::accuracy: break;
  }
  return accuracy(counts);
}

}  // namespace knnbert::inline v0_1
