#pragma once
#include "knnbert/core/matrix.hpp"
#include "knnbert/torch/error.hpp"

/// Devices, and rows of floats on their way to and from them.
namespace knnbert::inline v0_1 {

/// The device of a name: "cpu", "cuda" or "cuda:N".  Errors: OptionError for another name and for a device that is not
/// there.
inline at::Device torch_device(const std::string& name) {
  const auto parsed = [&]() -> at::Device {
    try {
      return at::Device(name);
    } catch (const c10::Error&) { raise<OptionError>("device: '{}' given, cpu, cuda or cuda:N expected", name); }
  }();
  if (name == "cpu") return at::Device(at::kCPU);
  if (!parsed.is_cuda()) raise<OptionError>("device: '{}' given, cpu, cuda or cuda:N expected", name);
  if (!at::globalContext().hasCUDA())
    raise<OptionError>("device: '{}' given, but LibTorch sees no CUDA device: cpu expected", name);
  return at::Device(at::kCUDA, parsed.has_index() ? parsed.index() : c10::DeviceIndex{0});
}

namespace detail {

/// A copy of rows on a device. The host does not wait for what the device is doing: it may change its rows at once,
/// since memory that is not pinned is staged before the call returns.
inline at::Tensor to_device(ConstView rows, at::Device device) {
  const auto host =
      at::from_blob(const_cast<float*>(rows.data()), {rows.rows(), rows.cols()}, {rows.stride(), 1}, at::kFloat);
  auto copy = at::empty({rows.rows(), rows.cols()}, at::TensorOptions().dtype(at::kFloat).device(device));
  copy.copy_(host, true);
  return copy;
}

/// Numbers as int64 on a device, likewise.
inline at::Tensor to_device(std::span<const std::int64_t> numbers, at::Device device) {
  return at::from_blob(const_cast<std::int64_t*>(numbers.data()), {std::ssize(numbers)}, at::kLong)
      .clone()
      .to(device, at::kLong, true);
}

/// Waits for a device and copies rows from it; the type becomes float.
inline void to_host(const at::Tensor& rows, View out) {
  require_shape("to_host", out, rows.size(0), rows.size(1));
  if (out.empty()) return;
  at::from_blob(out.data(), {out.rows(), out.cols()}, {out.stride(), 1}, at::kFloat).copy_(rows.detach());
}

}  // namespace detail
}  // namespace knnbert::inline v0_1
