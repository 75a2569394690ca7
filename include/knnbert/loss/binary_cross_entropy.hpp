#pragma once
#include <cmath>

#include "knnbert/loss/concept.hpp"

namespace knnbert::inline v0_1 {

/// Mean over rows and columns of the cross entropy of sigmoid(logits) with targets in [0, 1], which do not exclude each
/// other: PyTorch's BCEWithLogitsLoss.  d_logits = (sigmoid(logits) - targets) / (B C).  Errors: ShapeError.
struct BinaryCrossEntropyLoss {
  float operator()(ConstView logits, ConstView targets, View d_logits) const {  // all [B, C]
    detail::require_batch("BinaryCrossEntropyLoss", logits);
    require_shape("BinaryCrossEntropyLoss: targets", targets, logits.rows(), logits.cols());
    require_shape("BinaryCrossEntropyLoss: d_logits", d_logits, logits.rows(), logits.cols());
    const double count = static_cast<double>(logits.rows()) * static_cast<double>(logits.cols());
    double total = 0;
    for (index_t i = 0; i < logits.rows(); ++i)
      for (index_t c = 0; c < logits.cols(); ++c) {
        const double x = logits(i, c), y = targets(i, c), small = std::exp(-std::abs(x));
        total += std::max(x, 0.0) - x * y + std::log1p(small);
        const double p = (x < 0 ? small : 1) / (1 + small);
        d_logits(i, c) = static_cast<float>((p - y) / count);
      }
    return static_cast<float>(total / count);
  }
};

/// 1 / (1 + e^-x) without overflow.
inline float sigmoid(float x) {
  const double small = std::exp(-std::abs(static_cast<double>(x)));
  return static_cast<float>((x < 0 ? small : 1) / (1 + small));
}

}  // namespace knnbert::inline v0_1
