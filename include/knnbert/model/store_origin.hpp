#pragma once
#include "knnbert/core/own_mutex.hpp"
#include "knnbert/core/parameters.hpp"

namespace knnbert::inline v0_1 {

/// Which parameters made the keys of a datastore.  Thread safety: any members may run concurrently while nobody writes
/// to the parameters.
class StoreOrigin {
 public:
  void set(ParameterBlock& values) {
    const std::lock_guard lock(mutex_);
    generation_ = values.generation();
  }
  bool is(const ParameterBlock& values) const {
    const std::lock_guard lock(mutex_);
    return values.is_of(generation_);
  }

 private:
  mutable OwnMutex mutex_;
  std::shared_ptr<const void> generation_;
};

}  // namespace knnbert::inline v0_1
