#pragma once
#include "knnbert/loss/binary_cross_entropy.hpp"
#include "knnbert/loss/squared_error.hpp"
#include "knnbert/term/context.hpp"

/// Losses of logits whose targets are values [B, C] in place of classes: see model/target_table.hpp.
namespace knnbert::inline v0_1 {

namespace detail {

/// weight times the mean of loss(logits, values, d_logits) over the step.
template <class Loss, class Context>
TermValue add_target_loss(const Loss& loss, float weight, Context& context, Matrix& d) {
  const ConstView logits = context.logits;
  d.resize(logits.rows(), logits.cols());
  const float scale = (weight + context.idle_weight) * context.share();
  const float value = loss(logits, context.targets.values, d);
  scale_rows(d, scale);
  add_rows(d, context.d_logits);
  return scale * value;
}

}  // namespace detail

/// weight * mean binary cross entropy of every class by itself: texts of any number of classes.
struct BinaryCrossEntropy {
  static constexpr std::string_view name = "binary_cross_entropy";
  float weight = 1;
  Matrix scratch{};

  template <class Sink>
  void identity(Sink&& sink) const {
    sink("weight", weight);
  }
  template <class Context>
  TermValue add(Context& context) {
    return detail::add_target_loss(BinaryCrossEntropyLoss{}, weight, context, scratch);
  }
};

/// weight * mean squared error: a regression.
struct SquaredError {
  static constexpr std::string_view name = "squared_error";
  float weight = 1;
  Matrix scratch{};

  template <class Sink>
  void identity(Sink&& sink) const {
    sink("weight", weight);
  }
  template <class Context>
  TermValue add(Context& context) {
    return detail::add_target_loss(SquaredErrorLoss{}, weight, context, scratch);
  }
};

}  // namespace knnbert::inline v0_1
