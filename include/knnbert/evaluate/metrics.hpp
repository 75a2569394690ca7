#pragma once
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "knnbert/core/view.hpp"
#include "knnbert/evaluate/confusion.hpp"
#include "knnbert/evaluate/correlation.hpp"
#include "knnbert/evaluate/ratio.hpp"

namespace knnbert::inline v0_1 {

/// Index of the largest value, the lowest index among equals; a NaN is never largest.  Errors: ShapeError if empty.
inline label_t argmax(std::span<const float> values) {
  if (values.empty()) raise<ShapeError>("argmax: {} values given, at least 1 expected", values.size());
  std::size_t best = 0;
  float largest = -std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] > largest) largest = values[i], best = i;
  return static_cast<label_t>(best);
}

/// The predicted label of every row.
inline std::vector<label_t> argmax_rows(ConstView scores) {  // [N, C]
  std::vector<label_t> labels;
  labels.reserve(static_cast<std::size_t>(scores.rows()));
  for (index_t i = 0; i < scores.rows(); ++i) labels.push_back(argmax(scores.row(i)));
  return labels;
}

/// correct / N.
inline Ratio accuracy(const ConfusionMatrix& counts) {
  return ratio(static_cast<double>(counts.correct()), static_cast<double>(counts.total()));
}

/// The same without a table of classes.  Shapes: gold, predicted [N].  Errors: ShapeError.
inline Ratio accuracy(std::span<const label_t> gold, std::span<const label_t> predicted) {
  if (gold.size() != predicted.size())
    raise<ShapeError>("accuracy: {} gold labels but {} predictions", gold.size(), predicted.size());
  index_t correct = 0;
  for (std::size_t i = 0; i < gold.size(); ++i) correct += gold[i] == predicted[i];
  return ratio(static_cast<double>(correct), static_cast<double>(gold.size()));
}

struct ClassScores {
  Ratio precision, recall, f1;
  index_t support = 0;    ///< examples whose gold label is the class
  index_t predicted = 0;  ///< examples that were given the class
};

/// Precision TP/(TP+FP), recall TP/(TP+FN) and F1 2TP/(2TP+FP+FN) of one class.  Errors: ShapeError.
inline ClassScores class_scores(const ConfusionMatrix& counts, index_t label) {
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

inline std::vector<ClassScores> class_scores(const ConfusionMatrix& counts) {
  std::vector<ClassScores> scores;
  for (index_t c = 0; c < counts.classes(); ++c) scores.push_back(class_scores(counts, c));
  return scores;
}

/// F1 of the positive class, as GLUE reports it for MRPC and QQP.  Errors: ShapeError.
inline Ratio f1(const ConfusionMatrix& counts, index_t positive = 1) { return class_scores(counts, positive).f1; }

/// Unweighted mean of the F1 of the classes that occur among gold or predicted labels.
inline Ratio macro_f1(const ConfusionMatrix& counts) {
  double sum = 0, present = 0;
  for (index_t c = 0; c < counts.classes(); ++c) {
    const Ratio score = class_scores(counts, c).f1;
    if (score.defined) sum += score.value, ++present;
  }
  return ratio(sum, present);
}

/// Matthews correlation of any number of classes, with p_k and g_k the predicted and gold counts of class k:
/// (correct N - sum p_k g_k) / sqrt((N^2 - sum p_k^2) (N^2 - sum g_k^2)).  Range [-1, 1].
inline Ratio matthews(const ConfusionMatrix& counts) {
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

/// A number by which classifiers are compared.
enum class Score { accuracy, macro_f1, f1, matthews };
inline constexpr const char* score_names[] = {"accuracy", "macro_f1", "f1", "mcc"};

/// positive: the class of Score::f1.  Errors: ShapeError.
inline Ratio score_of(const ConfusionMatrix& counts, Score score, index_t positive = 1) {
  switch (score) {
    case Score::macro_f1: return macro_f1(counts);
    case Score::f1: return f1(counts, positive);
    case Score::matthews: return matthews(counts);
    case Score::accuracy: break;
  }
  return accuracy(counts);
}

}  // namespace knnbert::inline v0_1
