#pragma once
#include <mutex>

#include "knnbert/core/parameters.hpp"

namespace knnbert::inline v0_1 {

/// Which parameters made the keys of a datastore.  Thread safety: any members may run concurrently while nobody writes
/// to the parameters.
class StoreOrigin {
 public:
  StoreOrigin() = default;
  StoreOrigin(StoreOrigin&& other) noexcept : generation_(std::move(other.generation_)) {}

  void set(ParameterBlock& values) {
    const std::lock_guard lock(mutex_);
    generation_ = values.generation();
  }
  bool is(const ParameterBlock& values) const {
    const std::lock_guard lock(mutex_);
    return values.is_of(generation_);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const void> generation_;
};

}  // namespace knnbert::inline v0_1
