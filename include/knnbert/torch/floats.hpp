#pragma once
#include "knnbert/core/gradients.hpp"
#include "knnbert/torch/device.hpp"

namespace knnbert::inline v0_1 {

/// The floats of a parameter block as one flat tensor; parameters are views of it.
class TorchFloats final : public Mirror {
 public:
  TorchFloats(index_t size, at::Device device)
      : floats_(detail::guarded(
            "TorchFloats", [&] { return at::empty({size}, at::TensorOptions().dtype(at::kFloat).device(device)); })) {}

  const at::Tensor& floats() const { return floats_; }  // [size]
  at::Device device() const { return floats_.device(); }

  /// All values in bf16, kept for forward passes without a tape; one launch.
  void lower() {
    lowered_ = detail::guarded("TorchFloats::lower", [&] { return floats_.to(at::kBFloat16); });
  }
  /// Undefined unless lower() was called.
  const at::Tensor& lowered() const { return lowered_; }

  std::unique_ptr<Mirror> clone() const override {
    auto copy = std::make_unique<TorchFloats>(floats_.numel(), device());
    copy->floats_.copy_(floats_);
    if (lowered_.defined()) copy->lower();
    return copy;
  }
  void upload(const float* from) override {
    floats_.copy_(at::from_blob(const_cast<float*>(from), {floats_.numel()}, at::kFloat));
  }
  void download(float* to) const override { at::from_blob(to, {floats_.numel()}, at::kFloat).copy_(floats_); }
  void clear() override { floats_.zero_(); }
  void follow(const Mirror& source, float rate) override {
    const auto* other = dynamic_cast<const TorchFloats*>(&source);
    if (!other || other->device() != device())
      raise<OptionError>("TorchFloats::follow: a block on another device given, {} expected", device().str());
    floats_.lerp_(other->floats_, rate);
  }

 private:
  at::Tensor floats_, lowered_;
};

namespace detail {

inline const TorchFloats& require_device(const Mirror& mirror, at::Device device) {
  const auto* floats = dynamic_cast<const TorchFloats*>(&mirror);
  if (!floats || floats->device() != device)
    raise<OptionError>("ParameterBlock: a block on another device given, {} expected", device.str());
  return *floats;
}

/// A block's floats on a device, which it is brought to at first.  Errors: OptionError, if it is on another one.
inline const TorchFloats& on_device(const ParameterBlock& block, at::Device device) {
  return require_device(block.mirror([&] { return std::make_unique<TorchFloats>(block.size(), device); }), device);
}
inline TorchFloats& on_device_to_write(ParameterBlock& block, at::Device device) {
  on_device(block, device);
  return static_cast<TorchFloats&>(
      block.mirror_to_write([&] { return std::make_unique<TorchFloats>(block.size(), device); }));
}

/// A parameter [rows, cols], or [cols], of a flat tensor.
inline at::Tensor parameter_view(const at::Tensor& floats, const Parameter& p) {
  KNNBERT_ASSERT(p.layout == Layout::row_major);
  if (p.vector) return floats.narrow(0, p.offset, p.cols);
  return floats.narrow(0, p.offset, p.rows * p.cols).view({p.rows, p.cols});
}

}  // namespace detail
}  // namespace knnbert::inline v0_1
