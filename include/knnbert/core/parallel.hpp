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
/// Thread safety: a loop started while another one runs is executed by its caller alone, and so is every loop in a
/// child process made by fork(), which the threads do not follow.
class Workers {
 public:
  /// threads >= 1 counts the calling thread. Errors: OptionError; std::system_error if the system gives fewer.
  explicit Workers(index_t threads = 1);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  index_t size() const { return size_; }

  /// Calls body(index, worker) for every index in [0, count); worker in [0, size()) is exclusive to its thread during
  /// the call, but 0 as well for a caller that runs alone. The first exception of an iteration is rethrown here.
  template <class Body>
  void for_each(index_t count, Body&& body) const {
    if (!pool_ || count < 2 || forked() || pool_->busy.exchange(true, std::memory_order_acquire)) {
      for (index_t i = 0; i < count; ++i) body(i, index_t{0});
      return;
    }
    const Release release{pool_->busy};
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
  /// The threads and what they share.
  struct Pool {
    std::atomic<bool> busy{false};  // not a mutex: a loop inside a loop would try to lock what its thread holds
    std::mutex mutex;
    std::condition_variable wake, done;
    std::atomic<index_t> next{0};
    Loop current;
    std::atomic<index_t> generation{0}, running{0};  // written with the mutex held
    std::exception_ptr failure;
    std::atomic<bool> stopping{false};
    bool spins = false;
    index_t forks = 0;  // of the process when the threads began
    std::vector<std::thread> threads;

    void stop();
    void drain(const Loop& loop, index_t worker);
    void serve(index_t id);
    /// Waits actively for a while: loops follow each other closely, and a sleeping thread takes longer to wake than a
    /// short loop to run. Where threads outnumber the cores it would keep a core from those who have work.
    template <class Done>
    void spin(Done&& is_done) const {
      if (!spins) return;
      for (int i = 0; i < 4000 && !is_done(); ++i) pause();
    }
  };

  static void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
  }
  /// Whether this is a child of the process that has the threads.
  bool forked() const;
  void run(Loop loop) const;

  index_t size_ = 1;
  std::unique_ptr<Pool> pool_;  // none for one thread
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/core/parallel_impl.hpp"
#endif
