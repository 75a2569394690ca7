#pragma once
#include <memory>
#include <mutex>
#include <vector>

namespace knnbert {

/// Objects lent to one caller at a time and kept for the next, so that concurrent calls share memory without waiting.
template <class T>
class LeasePool {
 public:
  class Lease {
   public:
    Lease(LeasePool& pool, std::unique_ptr<T> object) : pool_(&pool), object_(std::move(object)) {}
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (object_) pool_->give_back(std::move(object_));
    }
    T& operator*() const { return *object_; }
    T* operator->() const { return object_.get(); }

   private:
    LeasePool* pool_;
    std::unique_ptr<T> object_;
  };

  /// An object nobody else uses, new only if all are lent.
  Lease lend() {
    {
      const std::lock_guard lock(mutex_);
      if (!free_.empty()) {
        auto object = std::move(free_.back());
        free_.pop_back();
        return Lease(*this, std::move(object));
      }
    }
    return Lease(*this, std::make_unique<T>());
  }

 private:
  void give_back(std::unique_ptr<T> object) noexcept {
    try {
      const std::lock_guard lock(mutex_);
      free_.push_back(std::move(object));
    } catch (...) {
    }
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<T>> free_;
};

}  // namespace knnbert
