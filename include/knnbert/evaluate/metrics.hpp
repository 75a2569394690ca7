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
std::vector<label_t> argmax_rows(ConstView scores);

/// correct / N.
inline Ratio accuracy(const ConfusionMatrix& counts) {
  return ratio(static_cast<double>(counts.correct()), static_cast<double>(counts.total()));
}

/// The same without a table of classes.  Shapes: gold, predicted [N].  Errors: ShapeError.
Ratio accuracy(std::span<const label_t> gold, std::span<const label_t> predicted);

struct ClassScores {
  Ratio precision, recall, f1;
  index_t support = 0;    ///< examples whose gold label is the class
  index_t predicted = 0;  ///< examples that were given the class
};

/// Precision TP/(TP+FP), recall TP/(TP+FN) and F1 2TP/(2TP+FP+FN) of one class.  Errors: ShapeError.
ClassScores class_scores(const ConfusionMatrix& counts, index_t label);

std::vector<ClassScores> class_scores(const ConfusionMatrix& counts);

/// F1 of the positive class, as GLUE reports it for MRPC and QQP.  Errors: ShapeError.
inline Ratio f1(const ConfusionMatrix& counts, index_t positive = 1) { return class_scores(counts, positive).f1; }

/// Unweighted mean of the F1 of the classes that occur among gold or predicted labels.
Ratio macro_f1(const ConfusionMatrix& counts);

/// Matthews correlation of any number of classes, with p_k and g_k the predicted and gold counts of class k:
/// (correct N - sum p_k g_k) / sqrt((N^2 - sum p_k^2) (N^2 - sum g_k^2)).  Range [-1, 1].
Ratio matthews(const ConfusionMatrix& counts);

/// A number by which classifiers are compared.
enum class Score { accuracy, macro_f1, f1, matthews };
inline constexpr const char* score_names[] = {"accuracy", "macro_f1", "f1", "mcc"};

/// positive: the class of Score::f1.  Errors: ShapeError.
Ratio score_of(const ConfusionMatrix& counts, Score score, index_t positive = 1);

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/evaluate/metrics_impl.hpp"
#endif
