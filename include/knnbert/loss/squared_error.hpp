#pragma once
#include "knnbert/loss/concept.hpp"
#include "knnbert/loss/symmetric_kl.hpp"

namespace knnbert::inline v0_1 {

/// What the sum of squared differences of [B, C] elements is divided by.
enum class SquaredErrorReduction {
  mean,        ///< B C
  batch_mean,  ///< B
  sum,         ///< 1
};

/// Squared difference of two sets of rows: logits of student and teacher, or predictions and targets of a regression.
/// d_a = 2 (a - b) / divisor, d_b = -d_a.  Errors: ShapeError.
struct SquaredErrorLoss {
  SquaredErrorReduction reduction = SquaredErrorReduction::mean;

  float operator()(ConstView a, ConstView b, View d_a) const {  // all [B, C]
    detail::require_pair("SquaredErrorLoss", a, b, d_a, d_a);
    const double by = divisor(a);
    double total = 0;
    for (index_t i = 0; i < a.rows(); ++i)
      for (index_t c = 0; c < a.cols(); ++c) {
        const double difference = static_cast<double>(a(i, c)) - b(i, c);
        total += difference * difference;
        d_a(i, c) = static_cast<float>(2 * difference / by);
      }
    return static_cast<float>(total / by);
  }

  float operator()(ConstView a, ConstView b, View d_a, View d_b) const {  // all [B, C]
    detail::require_pair("SquaredErrorLoss", a, b, d_a, d_b);
    const float value = (*this)(a, b, d_a);
    for (index_t i = 0; i < a.rows(); ++i)
      for (index_t c = 0; c < a.cols(); ++c) d_b(i, c) = -d_a(i, c);
    return value;
  }

 private:
  double divisor(ConstView a) const {
    if (reduction == SquaredErrorReduction::sum) return 1;
    return static_cast<double>(a.rows()) *
           (reduction == SquaredErrorReduction::mean ? static_cast<double>(a.cols()) : 1.0);
  }
};

}  // namespace knnbert::inline v0_1
