#pragma once
#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "knnbert/core/error.hpp"
#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// A fixed team of threads for loops whose iterations write disjoint results. Which thread runs an iteration is not
/// fixed, therefore an iteration's result must not depend on it; then results are the same for any number of threads.
/// Thread safety: a loop started while another one runs is executed by its caller alone.
class Workers {
 public:
  /// threads >= 1 counts the calling thread. Errors: OptionError; std::system_error if the system gives fewer.
  explicit Workers(index_t threads = 1);
  ~Workers() { stop(); }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  index_t size() const { return std::ssize(threads_) + 1; }

  /// Calls body(index, worker) for every index in [0, count); worker in [0, size()) is exclusive to its thread during
  /// the call, but 0 as well for a caller that runs alone. The first exception of an iteration is rethrown here.
  template <class Body>
  void for_each(index_t count, Body&& body) const {
    if (threads_.empty() || count < 2 || busy_.exchange(true, std::memory_order_acquire)) {
      for (index_t i = 0; i < count; ++i) body(i, index_t{0});
      return;
    }
    const Release release{busy_};
    using Callable = std::remove_reference_t<Body>;
    run({count, const_cast<void*>(static_cast<const void*>(&body)),
         [](void* f, index_t i, index_t worker) { (*static_cast<Callable*>(f))(i, worker); }});
  }

 private:
  struct Release {
    std::atomic<bool>& busy;
    ~Release() { busy.store(false, std::memory_order_release); }
  };
  struct Loop {
    index_t count = 0;
    void* body = nullptr;
    void (*call)(void*, index_t, index_t) = nullptr;
  };

  void stop();

  void run(Loop loop) const;

  void drain(const Loop& loop, index_t worker) const;

  /// Waits actively for a while: loops follow each other closely, and a sleeping thread takes longer to wake than a
  /// short loop to run. Where threads outnumber the cores it would keep a core from those who have work.
  template <class Done>
  void spin(Done&& done) const {
    if (!spins_) return;
    for (int i = 0; i < 4000 && !done(); ++i) pause();
  }
  static void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
  }

  void serve(index_t id) const;

  mutable std::atomic<bool> busy_{false};  // not a mutex: a loop inside a loop would try to lock what its thread holds
  mutable std::mutex mutex_;
  mutable std::condition_variable wake_, done_;
  mutable std::atomic<index_t> next_{0};
  mutable Loop current_;
  mutable std::atomic<index_t> generation_{0}, running_{0};  // written with mutex_ held
  mutable std::exception_ptr failure_;
  std::atomic<bool> stopping_{false};
  bool spins_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/core/parallel_impl.hpp"
#endif
