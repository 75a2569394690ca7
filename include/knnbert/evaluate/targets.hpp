#pragma once
#include <algorithm>
#include <cmath>
#include <numeric>

#include "knnbert/evaluate/correlation.hpp"
#include "knnbert/evaluate/metrics.hpp"

/// Scores of answers that are sets of classes, or numbers.
namespace knnbert::inline v0_1 {

/// Scores of sets of classes, as scikit-learn defines them; but a class that occurs neither among gold nor predicted
/// sets is left out of macro_f1.
struct MultiLabelScores {
  Ratio micro_f1;         ///< of all decisions together
  Ratio macro_f1;         ///< mean over the classes
  Ratio subset_accuracy;  ///< texts whose set is exactly right
  std::vector<ClassScores> per_class;
};

/// A class is predicted where its probability reaches its threshold.
/// Shapes: gold (zeros and ones), probabilities [N, C]; thresholds [C].  Errors: ShapeError.
MultiLabelScores multi_label_scores(ConstView gold, ConstView probabilities, std::span<const float> thresholds);

/// For every class the threshold with the highest F1: half-way between two neighboring probabilities; of several, the
/// one that is closest to 0.5. 0.5 for a class without an example.  Shapes: as multi_label_scores.  Errors: ShapeError.
std::vector<float> best_thresholds(ConstView gold, ConstView probabilities);

/// Scores of numbers.
struct RegressionScores {
  Ratio pearson, spearman;
  double root_mean_square_error = 0;
};

/// Shapes: gold, values [N, 1].  Errors: ShapeError; Error for a value that is not finite.
RegressionScores regression_scores(ConstView gold, ConstView values);

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/evaluate/targets_impl.hpp"
#endif
