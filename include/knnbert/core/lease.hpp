#pragma once
#include <algorithm>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace knnbert::inline v0_1 {

/// Objects lent to one caller at a time and kept for the next, so that concurrent calls share memory without waiting.
/// Kept are as many as were in use at once lately: those of a rush go when it is over.
template <class T>
class LeasePool {
 public:
  class Lease {
   public:
    Lease(LeasePool& pool, std::unique_ptr<T> object) : pool_(&pool), object_(std::move(object)) {}
    Lease(Lease&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), object_(std::move(other.object_)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (pool_) pool_->give_back(std::move(object_));
    }
    T& operator*() const { return *object_; }
    T* operator->() const { return object_.get(); }

   private:
    friend LeasePool;
    LeasePool* pool_;
    std::unique_ptr<T> object_;
  };

  /// An object nobody else uses, new only if all are lent.
  Lease lend() {
    Lease lease(*this, take());
    if (!lease.object_) lease.object_ = std::make_unique<T>();
    return lease;
  }

 private:
  static constexpr int period = 64;  // calls after which the need is counted anew

  std::unique_ptr<T> take() {
    std::vector<std::unique_ptr<T>> spare;  // goes when the lock is free
    const std::lock_guard lock(mutex_);
    most_ = std::max(most_, ++lent_);
    std::unique_ptr<T> object;
    if (!free_.empty()) {
      object = std::move(free_.back());
      free_.pop_back();
    }
    if (++calls_ < period) return object;
    for (; free_.size() + lent_ > most_; free_.pop_back()) spare.push_back(std::move(free_.back()));
    calls_ = 0, most_ = lent_;
    return object;
  }

  void give_back(std::unique_ptr<T> object) noexcept {
    try {
      const std::lock_guard lock(mutex_);
      --lent_;
      if (object) free_.push_back(std::move(object));
    } catch (...) {}
  }

  int calls_ = 0;
  std::size_t lent_ = 0, most_ = 0;
  std::mutex mutex_;
  std::vector<std::unique_ptr<T>> free_;
};

}  // namespace knnbert::inline v0_1
