#pragma once
#include "knnbert/core/matrix.hpp"
#include "knnbert/datastore/neighbor.hpp"

namespace knnbert::inline v0_1 {

/// Which of the three predictors a number is about.
enum class Predictor { knn, head, combined };
inline constexpr const char* predictor_names[] = {"knn", "head", "combined"};

/// Distributions over all classes of several texts, [N, C] each; of a multi-label model probabilities of each class by
/// itself, of a regression one number each.
struct Distributions {
  Matrix knn, head, combined;
};

/// All that a classifier makes of several texts, before it decides.
struct Answers {
  Matrix logits;    ///< [N, C'] of the head, over the classes that it was trained on
  Matrix features;  ///< [N, D], what the datastore compares
  NeighborLists neighbors;
  Distributions distributions;
  bool reweighed = false;  ///< votes count more for classes that were added after training
};

}  // namespace knnbert::inline v0_1
