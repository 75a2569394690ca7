#pragma once
#include <mutex>
#include <optional>

#include "knnbert/core/rng.hpp"
#include "knnbert/torch/library.hpp"

namespace knnbert::inline v0_1::detail {

/// torch has one generator a device for a whole process; a pass that seeds it has it to itself until it is done.
inline std::recursive_mutex& generator_in_use() {
  static std::recursive_mutex mutex;
  return mutex;
}

/// Dropout by torch's own generator of a device, which is seeded at every site and given back as it was. Passes with
/// dropout that run at the same time in one process wait for each other, so that the masks of each are its own.
class SeededDropout {
 public:
  SeededDropout(at::Device device, const std::optional<Rng>& rng, index_t first_example) {
    if (!rng) return;
    own_ = std::unique_lock(generator_in_use());
    rng_ = rng->fork(static_cast<std::uint64_t>(first_example));
    generator_ = at::globalContext().defaultGenerator(device);
    const std::lock_guard lock(generator_.mutex());
    state_ = generator_.get_state();
  }
  ~SeededDropout() {
    if (!rng_) return;
    const std::lock_guard lock(generator_.mutex());
    generator_.set_state(state_);
  }
  SeededDropout(const SeededDropout&) = delete;
  SeededDropout& operator=(const SeededDropout&) = delete;

  /// The same masks follow whenever the same site is named.
  void site(index_t number) {
    if (!rng_) return;
    const std::lock_guard lock(generator_.mutex());
    generator_.set_current_seed(rng_->bits(static_cast<std::uint64_t>(number)));
  }
  double rate(float configured) const { return rng_ ? static_cast<double>(configured) : 0.0; }
  at::Tensor operator()(const at::Tensor& x, float configured) const {
    const double p = rate(configured);
    return p > 0 ? at::dropout(x, p, true) : x;
  }

 private:
  std::unique_lock<std::recursive_mutex> own_;
  std::optional<Rng> rng_;
  at::Generator generator_;
  at::Tensor state_;
};

}  // namespace knnbert::inline v0_1::detail
