#pragma once
#include "knnbert/loss/cross_entropy.hpp"
#include "knnbert/torch/rows.hpp"

namespace knnbert::inline v0_1 {

/// `weight` times the loss of logits [B, C], on the device where they lie; adds its gradient to d_logits [B, C]. Nobody
/// waits for the device before the value is read.  Errors: as CrossEntropyLoss, DeviceMemoryError.
inline Deferred<float> add_weighted(const CrossEntropyLoss& loss, const TorchRows& logits,
                                    std::span<const label_t> labels, float weight, TorchRows& d_logits) {
  loss.check(logits.rows(), logits.cols(), labels);
  require_shape("CrossEntropyLoss: d_logits", d_logits, logits.rows(), logits.cols());
  return detail::guarded("CrossEntropyLoss", [&] {
    const c10::NoGradGuard no_graph;
    const double smoothing = loss.label_smoothing, spread = smoothing / static_cast<double>(logits.cols());
    const std::vector<std::int64_t> wide(labels.begin(), labels.end());
    // [B, 1]
    const at::Tensor columns = detail::to_device(std::span<const std::int64_t>(wide), logits.device()).unsqueeze(1);
    const at::Tensor log_p = at::log_softmax(logits.on(logits.device()), 1);
    const double scale = static_cast<double>(weight) / static_cast<double>(logits.rows());
    at::Tensor target =
        at::full_like(log_p, spread).scatter_add_(1, columns, at::full_like(columns, 1 - smoothing, log_p.options()));
    at::Tensor value, p = at::exp(log_p);
    if (loss.class_weights.empty()) {
      value = log_p.gather(1, columns).sum() * (smoothing - 1);
      if (spread > 0) value = value - log_p.sum() * spread;
    } else {
      const ConstView weights(loss.class_weights.data(), 1, logits.cols(), logits.cols());
      target = target * detail::to_device(weights, logits.device());
      value = -(at::where(target > 0, log_p, 0) * target).sum();
      p = p * target.sum(1, true);
    }
    d_logits.add((p - target) * scale);
    return Deferred<float>(
        [value = value * scale] { return detail::guarded("CrossEntropyLoss", [&] { return value.item<float>(); }); });
  });
}

}  // namespace knnbert::inline v0_1
