#pragma once
#include <mutex>

namespace knnbert::inline v0_1 {

/// A mutex for objects that are copied and moved: each has its own.
class OwnMutex {
 public:
  OwnMutex() = default;
  OwnMutex(const OwnMutex&) noexcept {}
  OwnMutex& operator=(const OwnMutex&) noexcept { return *this; }

  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

}  // namespace knnbert::inline v0_1
