#pragma once
#include <cmath>

#include "knnbert/core/deferred.hpp"
#include "knnbert/loss/concept.hpp"
#include "knnbert/loss/softmax.hpp"

namespace knnbert::inline v0_1 {

/// Mean over the batch of -sum_c w_c q_c log softmax(logits)_c, with the smoothed target q_c = (1 - s) [c = label] +
/// s / C and weights w of the classes, 1 each unless they are given: the mean of what PyTorch's CrossEntropyLoss gives
/// with weight, label_smoothing and reduction='none'.  d_logits = (softmax(logits) sum_c w_c q_c - w q) / B.
/// Errors: ShapeError, also for a label outside [0, C); OptionError for s outside [0, 1] and for a weight that is no
/// positive number.  Cost: O(B C).
struct CrossEntropyLoss {
  float label_smoothing = 0;
  std::span<const float> class_weights = {};  ///< [C], or none

  float operator()(ConstView logits,                 // [B, C]
                   std::span<const label_t> labels,  // [B]
                   View d_logits) const {            // [B, C]
    return all(logits, labels, d_logits, [](float& d, float gradient) { d = gradient; });
  }

  /// The same value; adds `weight` times the gradient to d_logits.
  float add(ConstView logits, std::span<const label_t> labels, float weight, View d_logits) const {
    return all(logits, labels, d_logits, [weight](float& d, float gradient) { d += weight * gradient; });
  }

  /// What every call requires of its arguments.
  void check(index_t rows, index_t classes, std::span<const label_t> labels) const {
    if (!(label_smoothing >= 0 && label_smoothing <= 1))
      raise<OptionError>("CrossEntropyLoss::label_smoothing: {} given, 0 to 1 expected", label_smoothing);
    if (rows < 1 || classes < 1)
      raise<ShapeError>("CrossEntropyLoss: [{}, {}] given, at least one row and column expected", rows, classes);
    if (rows != std::ssize(labels)) raise<ShapeError>("CrossEntropyLoss: {} rows but {} labels", rows, labels.size());
    if (!class_weights.empty() && std::ssize(class_weights) != classes)
      raise<ShapeError>("CrossEntropyLoss::class_weights: {} given, {} expected", class_weights.size(), classes);
    for (const float w : class_weights)
      if (!(w > 0 && std::isfinite(w)))
        raise<OptionError>("CrossEntropyLoss::class_weights: {} given, a positive number expected", w);
    for (const label_t label : labels)
      if (label < 0 || label >= classes) raise<ShapeError>("CrossEntropyLoss: label {} of {} classes", label, classes);
  }

 private:
  template <class Put>
  float all(ConstView logits, std::span<const label_t> labels, View d_logits, Put&& put) const {
    check(logits.rows(), logits.cols(), labels);
    require_shape("CrossEntropyLoss: d_logits", d_logits, logits.rows(), logits.cols());
    double total = 0;
    for (index_t i = 0; i < logits.rows(); ++i)
      total += row(logits.row(i), static_cast<std::size_t>(labels[static_cast<std::size_t>(i)]), d_logits.row(i),
                   static_cast<double>(logits.rows()), put);
    return static_cast<float>(total / static_cast<double>(logits.rows()));
  }

  template <class Put>
  double row(std::span<const float> logits, std::size_t label, std::span<float> d_logits, double batch,
             Put&& put) const {
    const double normalizer = log_sum_exp(logits),
                 spread = static_cast<double>(label_smoothing) / static_cast<double>(logits.size());
    const auto target = [&](std::size_t c) {
      const double q = spread + (c == label ? 1.0 - static_cast<double>(label_smoothing) : 0.0);
      return class_weights.empty() ? q : class_weights[c] * q;
    };
    double loss = 0, total = 1;
    if (!class_weights.empty()) {
      total = 0;
      for (std::size_t c = 0; c < logits.size(); ++c) total += target(c);
    }
    for (std::size_t c = 0; c < logits.size(); ++c) {
      const double log_p = logits[c] - normalizer, q = target(c);
      if (q != 0) loss -= q * log_p;
      put(d_logits[c], static_cast<float>((total * std::exp(log_p) - q) / batch));
    }
    return loss;
  }
};

/// `weight` times the loss; adds its gradient. Backends that keep logits on a device have their own, found by the
/// arguments.
inline Deferred<float> add_weighted(const CrossEntropyLoss& loss, ConstView logits, std::span<const label_t> labels,
                                    float weight, View d_logits) {
  return weight * loss.add(logits, labels, weight, d_logits);
}

}  // namespace knnbert::inline v0_1
