#pragma once
#include "knnbert/core/matrix.hpp"
#include "knnbert/loss/cross_entropy.hpp"
#include "knnbert/term/context.hpp"

namespace knnbert {

/// weight * mean cross entropy of softmax(logits).
struct CrossEntropy {
  static constexpr std::string_view name = "cross_entropy";
  float weight = 1;
  float label_smoothing = 0;

  std::string identity() const { return format("{} {}", weight, label_smoothing); }

  template <class Context>
  TermValue add(Context& context) const {
    const float scale = (weight + context.idle_weight) * context.share();
    Matrix d(context.logits.rows(), context.logits.cols());
    const float value = CrossEntropyLoss{label_smoothing}(context.logits, context.labels, d);
    for (index_t b = 0; b < d.rows(); ++b)
      for (index_t c = 0; c < d.cols(); ++c) context.d_logits(b, c) += scale * d(b, c);
    return scale * value;
  }
};

}  // namespace knnbert
