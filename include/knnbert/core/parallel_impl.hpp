#pragma once
#include "knnbert/config.hpp"
#include "knnbert/core/parallel.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE Workers::Workers(index_t threads) {
  if (threads < 1) raise<OptionError>("Workers::Workers: {} threads given, at least 1 expected", threads);
  spins_ = threads <= static_cast<index_t>(std::thread::hardware_concurrency());
  try {
    for (index_t id = 1; id < threads; ++id) threads_.emplace_back([this, id] { serve(id); });
  } catch (...) {
    stop();
    throw;
  }
}

KNNBERT_INLINE void Workers::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

KNNBERT_INLINE void Workers::run(Loop loop) const {
  {
    const std::lock_guard lock(mutex_);
    current_ = loop;
    next_ = 0;
    running_ = std::ssize(threads_);
    failure_ = nullptr;
    ++generation_;
  }
  wake_.notify_all();
  drain(loop, 0);
  spin([&] { return running_.load(std::memory_order_acquire) == 0; });
  std::unique_lock lock(mutex_);
  done_.wait(lock, [&] { return running_ == 0; });
  if (failure_) std::rethrow_exception(failure_);
}

KNNBERT_INLINE void Workers::drain(const Loop& loop, index_t worker) const {
  try {
    for (index_t i; (i = next_.fetch_add(1)) < loop.count;) loop.call(loop.body, i, worker);
  } catch (...) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
    next_ = loop.count;
  }
}

KNNBERT_INLINE void Workers::serve(index_t id) const {
  index_t seen = 0;
  for (std::unique_lock lock(mutex_);;) {
    lock.unlock();
    spin([&] {
      return stopping_.load(std::memory_order_acquire) || generation_.load(std::memory_order_acquire) != seen;
    });
    lock.lock();
    wake_.wait(lock, [&] { return stopping_ || generation_ != seen; });
    if (stopping_) return;
    seen = generation_;
    const Loop loop = current_;
    lock.unlock();
    drain(loop, id);
    lock.lock();
    if (--running_ == 0) done_.notify_one();
  }
}

}  // namespace knnbert::inline v0_1
