#pragma once
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "knnbert/evaluate/calibration.hpp"
#include "knnbert/evaluate/confusion.hpp"
#include "knnbert/evaluate/metrics.hpp"

namespace knnbert::inline v0_1 {

/// What one predictor achieved on a labeled set.
struct PredictorEvaluation {
  Ratio accuracy, macro_f1, matthews;
  std::vector<ClassScores> per_class;
  ConfusionMatrix confusion;
  Calibration calibration;
};

/// The neighbors' vote, the linear head and their combination on the same examples.
struct Evaluation {
  index_t n = 0;
  std::vector<std::string> classes;
  PredictorEvaluation knn, head, combined;
  index_t positive = -1;  ///< the class whose F1 is told; of two classes the second, as GLUE's tasks have it; -1: none

  /// Calls visit(name, predictor) for all three.
  template <class Visit>
  void each(Visit&& visit) const {
    visit("knn", knn);
    visit("head", head);
    visit("combined", combined);
  }
};

/// The distributions of the three predictors for the same examples, [N, C] each.
struct PredictorProbabilities {
  ConstView knn, head, combined;
};

/// Decides by argmax and measures one predictor.  Shapes: probabilities [N, C], gold [N].
/// Errors: ShapeError; Error if a row is not a distribution.
inline PredictorEvaluation evaluate_predictor(std::span<const label_t> gold, ConstView probabilities) {
  PredictorEvaluation result;
  result.calibration = measure_calibration(probabilities, gold);
  result.confusion = ConfusionMatrix(gold, argmax_rows(probabilities), probabilities.cols());
  result.accuracy = accuracy(result.confusion);
  result.macro_f1 = macro_f1(result.confusion);
  result.matthews = matthews(result.confusion);
  result.per_class = class_scores(result.confusion);
  return result;
}

/// Measures the three predictors.  Shapes: gold [N], probabilities [N, C] each, classes [C].
/// Errors: ShapeError; Error if a row is not a distribution.
inline Evaluation evaluate(std::span<const label_t> gold, const PredictorProbabilities& probabilities,
                           std::vector<std::string> classes) {
  for (const auto& view : {probabilities.knn, probabilities.head, probabilities.combined})
    require_shape("evaluate", view, std::ssize(gold), std::ssize(classes));
  const index_t positive = classes.size() == 2 ? 1 : -1;
  return {.n = std::ssize(gold),
          .classes = std::move(classes),
          .knn = evaluate_predictor(gold, probabilities.knn),
          .head = evaluate_predictor(gold, probabilities.head),
          .combined = evaluate_predictor(gold, probabilities.combined),
          .positive = positive};
}

}  // namespace knnbert::inline v0_1
