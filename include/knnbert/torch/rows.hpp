#pragma once
#include "knnbert/core/own_mutex.hpp"
#include "knnbert/torch/device.hpp"

namespace knnbert::inline v0_1 {

class TorchInput;

/// Rows of floats of which main memory and a device each may have a copy. Whoever reads the older one brings it up to
/// date, so that rows which device functions hand to each other never cross, and code for main memory sees a matrix.
/// Thread safety: const.
class TorchRows {
 public:
  using view = TorchRows&;
  using const_view = const TorchRows&;
  using input = TorchInput;

  /// Brings it to a shape; the content is unspecified.
  void resize(index_t rows, index_t cols) {
    host_.resize(rows, cols);
    host_is_old_ = false, device_is_old_ = true;
  }
  void fill(float value) {
    host_.fill(value);
    host_is_old_ = false, device_is_old_ = true;
  }

  /// Takes rows [n, D] of a device as they are.
  void assign(const at::Tensor& rows) {
    device_rows_ = rows.detach();
    host_.resize(rows.size(0), rows.size(1));
    host_is_old_ = true, device_is_old_ = false;
  }
  /// Adds rows of a device.
  void add(const at::Tensor& rows) { assign(on(rows.device()) + rows); }

  index_t rows() const { return host_.rows(); }
  index_t cols() const { return host_.cols(); }
  /// Whether a reader there waits for nobody.
  bool in_main_memory() const {
    const std::lock_guard lock(mutex_);
    return !host_is_old_;
  }
  /// Where device functions left it last.
  at::Device device() const {
    const std::lock_guard lock(mutex_);
    return device_rows_.defined() ? device_rows_.device() : at::Device(at::kCPU);
  }

  /// [n, D] on a device.  Errors: DeviceMemoryError.
  at::Tensor on(at::Device device) const {
    const std::lock_guard lock(mutex_);
    if (device_is_old_ || device_rows_.device() != device)
      device_rows_ = detail::to_device(newest_in_host(), device), device_is_old_ = false;
    return device_rows_;
  }
  operator ConstView() const { return host_view(); }
  /// To be written: the device's copy is old from now on.
  operator View() {
    static_cast<void>(host_view());
    device_is_old_ = true;
    return host_;
  }
  std::span<const float> row(index_t i) const { return host_view().row(i); }
  float operator()(index_t row, index_t col) const { return host_view()(row, col); }

 private:
  ConstView host_view() const {
    const std::lock_guard lock(mutex_);
    return newest_in_host();
  }
  ConstView newest_in_host() const {
    if (host_is_old_) detail::guarded("TorchRows", [&] { detail::to_host(device_rows_, host_); }), host_is_old_ = false;
    return host_;
  }

  mutable OwnMutex mutex_;  // of a reader that brings a side up to date
  mutable Matrix host_;
  mutable at::Tensor device_rows_;
  mutable bool host_is_old_ = false, device_is_old_ = true;
};

/// Rows that a function of this backend reads, wherever they lie; valid while these are.
class TorchInput {
 public:
  TorchInput() = default;
  TorchInput(const TorchRows& rows) : rows_(&rows) {}
  template <class Rows>
    requires std::convertible_to<const Rows&, ConstView> TorchInput(const Rows& rows) : view_(rows) {}

    index_t rows() const { return rows_ ? rows_->rows() : view_.rows(); }
    index_t cols() const { return rows_ ? rows_->cols() : view_.cols(); }
    bool empty() const { return rows() == 0 || cols() == 0; }
    at::Tensor on(at::Device device) const { return rows_ ? rows_->on(device) : detail::to_device(view_, device); }
    /// Where device functions left it last.
    at::Device device() const { return rows_ ? rows_->device() : at::Device(at::kCPU); }

   private:
    const TorchRows* rows_ = nullptr;
    ConstView view_;
};

/// Errors: ShapeError.
inline void require_shape(std::string_view where, const TorchInput& input, index_t rows, index_t cols) {
  if (input.rows() == rows && input.cols() == cols) return;
  raise<ShapeError>("{}: [{}, {}] given, [{}, {}] expected", where, input.rows(), input.cols(), rows, cols);
}

/// Overwrites rows with a copy, or with zeros [rows, cols] where there are none.
inline void assign_rows(const TorchInput& from, index_t rows, index_t cols, TorchRows& to) {
  if (!from.empty()) return to.assign(from.on(from.device()));
  to.resize(rows, cols);
  to.fill(0);
}

}  // namespace knnbert::inline v0_1
