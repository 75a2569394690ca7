#pragma once
#include "knnbert/loss/squared_error.hpp"
#include "knnbert/loss/symmetric_kl.hpp"

namespace knnbert::inline v0_1 {

/// How far apart two answers of a model are: SymmetricKl of the logits of classes; of one column, the number of a
/// regression, the mean squared difference.  SMART, arXiv 1911.03437, section 3.1.
/// Errors: ShapeError.
struct AnswerDivergence {
  float operator()(ConstView a, ConstView b, View d_a, View d_b) const {  // all [B, C]
    return a.cols() == 1 ? SquaredErrorLoss{}(a, b, d_a, d_b) : SymmetricKl{}(a, b, d_a, d_b);
  }
  /// b is a constant.
  float operator()(ConstView a, ConstView b, View d_a) const {  // all [B, C]
    return a.cols() == 1 ? SquaredErrorLoss{}(a, b, d_a) : SymmetricKl{}(a, b, d_a);
  }
};

}  // namespace knnbert::inline v0_1
