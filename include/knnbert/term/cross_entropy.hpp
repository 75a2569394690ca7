#pragma once
#include "knnbert/loss/cross_entropy.hpp"
#include "knnbert/term/context.hpp"

namespace knnbert::inline v0_1 {

/// weight * mean cross entropy of softmax(logits).
struct CrossEntropy {
  static constexpr std::string_view name = "cross_entropy";
  float weight = 1;
  float label_smoothing = 0;

  template <class Sink>
  void identity(Sink&& sink) const {
    sink("weight", weight), sink("label_smoothing", label_smoothing);
  }

  template <class Context>
  TermValue add(Context& context) const {
    const float scale = (weight + context.idle_weight) * context.share();
    return add_weighted(CrossEntropyLoss{label_smoothing}, context.logits, context.labels, scale, context.d_logits);
  }
};

}  // namespace knnbert::inline v0_1
