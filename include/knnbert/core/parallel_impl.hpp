#pragma once
#include <pthread.h>

#include "knnbert/config.hpp"
#include "knnbert/core/parallel.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// How many forks lie between this process and the one that asked first.
inline index_t forks() {
  static std::atomic<index_t> count{0};
  static const int registered = ::pthread_atfork(nullptr, nullptr, [] { ++count; });
  if (registered != 0) throw std::system_error(registered, std::generic_category(), "pthread_atfork");
  return count.load(std::memory_order_relaxed);
}

}  // namespace detail

KNNBERT_INLINE Workers::Workers(index_t threads) : size_(threads) {
  if (threads < 1) raise<OptionError>("Workers::Workers: {} threads given, at least 1 expected", threads);
  if (threads == 1) return;
  pool_ = std::make_unique<Pool>();
  pool_->forks = detail::forks();
  pool_->spins = threads <= static_cast<index_t>(std::thread::hardware_concurrency());
  try {
    for (index_t id = 1; id < threads; ++id) pool_->threads.emplace_back([pool = pool_.get(), id] { pool->serve(id); });
  } catch (...) {
    pool_->stop();
    throw;
  }
}

KNNBERT_INLINE Workers::~Workers() {
  if (!pool_) return;
  if (forked()) static_cast<void>(pool_.release());  // nobody is left to wait for, and nobody may say so to the rest
  else pool_->stop();
}

KNNBERT_INLINE bool Workers::forked() const { return pool_->forks != detail::forks(); }

KNNBERT_INLINE void Workers::Pool::stop() {
  {
    const std::lock_guard lock(mutex);
    stopping = true;
  }
  wake.notify_all();
  for (auto& thread : threads) thread.join();
}

KNNBERT_INLINE void Workers::run(Loop loop) const {
  Pool& pool = *pool_;
  {
    const std::lock_guard lock(pool.mutex);
    pool.current = loop;
    pool.next = 0;
    pool.running = std::ssize(pool.threads);
    pool.failure = nullptr;
    ++pool.generation;
  }
  pool.wake.notify_all();
  pool.drain(loop, 0);
  pool.spin([&] { return pool.running.load(std::memory_order_acquire) == 0; });
  std::unique_lock lock(pool.mutex);
  pool.done.wait(lock, [&] { return pool.running == 0; });
  if (pool.failure) std::rethrow_exception(pool.failure);
}

KNNBERT_INLINE void Workers::Pool::drain(const Loop& loop, index_t worker) {
  try {
    for (index_t i; (i = next.fetch_add(1)) < loop.count;) loop.call(loop.body, i, worker);
  } catch (...) {
    const std::lock_guard lock(mutex);
    if (!failure) failure = std::current_exception();
    next = loop.count;
  }
}

KNNBERT_INLINE void Workers::Pool::serve(index_t id) {
  index_t seen = 0;
  for (std::unique_lock lock(mutex);;) {
    lock.unlock();
    spin(
        [&] { return stopping.load(std::memory_order_acquire) || generation.load(std::memory_order_acquire) != seen; });
    lock.lock();
    wake.wait(lock, [&] { return stopping || generation != seen; });
    if (stopping) return;
    seen = generation;
    const Loop loop = current;
    lock.unlock();
    drain(loop, id);
    lock.lock();
    if (--running == 0) done.notify_one();
  }
}

}  // namespace knnbert::inline v0_1
