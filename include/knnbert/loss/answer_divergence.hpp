#pragma once
#include <concepts>

#include "knnbert/loss/squared_error.hpp"
#include "knnbert/loss/symmetric_kl.hpp"
#include "knnbert/text/label_kind.hpp"

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

namespace detail {

/// Whether a divergence compares answers of a task. Sets of classes need one of their own: a softmax does not see what
/// raises all logits alike.
template <class Divergence>
constexpr bool compares_answers(Task task) {
  return task != Task::multi_label || !std::same_as<Divergence, AnswerDivergence>;
}

}  // namespace detail

}  // namespace knnbert::inline v0_1
