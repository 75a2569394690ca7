#pragma once
#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX 1  // MPI's own C++ bindings are obsolete
#endif
#ifndef MPICH_SKIP_MPICXX
#define MPICH_SKIP_MPICXX 1
#endif
#include <mpi.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "knnbert/distributed/concept.hpp"

namespace knnbert::inline v0_1 {

struct MpiOptions {
  double patience = 1800;  ///< seconds that a call waits for the other processes before it gives up
};

/// The processes that an MPI launcher started. A thread of its own moves what start_all_reduce() started along: MPI
/// makes progress only inside its calls. Waiting yields the processor, so that processes may outnumber cores.
/// Thread safety: one thread at a time.
class MpiCommunicator {
 public:
  /// Initializes MPI unless somebody has.  Errors: CommunicationError.
  explicit MpiCommunicator(const MpiOptions& options = {})
      : options_(options), exceptions_(std::uncaught_exceptions()) {
    int there = 0, level = MPI_THREAD_SERIALIZED;
    check(MPI_Initialized(&there), "MPI_Initialized");
    if (there) check(MPI_Query_thread(&level), "MPI_Query_thread");
    else check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &level), "MPI_Init_thread");
    owns_mpi_ = !there;
    if (level < MPI_THREAD_SERIALIZED)
      raise<CommunicationError>(
          "MpiCommunicator: an MPI of thread level {} given, at least MPI_THREAD_SERIALIZED expected", level);
    check(MPI_Comm_dup(MPI_COMM_WORLD, &world_), "MPI_Comm_dup");
    check(MPI_Comm_set_errhandler(world_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    check(MPI_Comm_rank(world_, &rank_), "MPI_Comm_rank");
    check(MPI_Comm_size(world_, &size_), "MPI_Comm_size");
    if (size_ > 1) mover_ = std::thread([this] { move_along(); });
  }
  MpiCommunicator(const MpiCommunicator&) = delete;
  MpiCommunicator& operator=(const MpiCommunicator&) = delete;
  /// Ends MPI if this object began it; not while an exception passes or after a failure, when the others would be
  /// waited for in vain.
  ~MpiCommunicator() {
    {
      const std::lock_guard lock(mutex_);
      leaving_ = true;
    }
    work_.notify_all();
    if (mover_.joinable()) mover_.join();
    if (std::uncaught_exceptions() > exceptions_ || failed_) return;
    MPI_Comm_free(&world_);
    if (owns_mpi_) MPI_Finalize();
  }

  index_t rank() const { return rank_; }
  index_t size() const { return size_; }

  void all_reduce(std::span<float> values) {
    start_all_reduce(values);
    wait();
  }

  void start_all_reduce(std::span<float> values) {
    for (; !values.empty(); values = values.subspan(std::min(values.size(), largest))) {
      const auto part = values.first(std::min(values.size(), largest));
      begin("MPI_Iallreduce", [&](MPI_Request* request) {
        return MPI_Iallreduce(copied(part), part.data(), static_cast<int>(part.size()), MPI_FLOAT, MPI_SUM, world_,
                              request);
      });
    }
  }

  void wait() {
    const auto start = std::chrono::steady_clock::now();
    for (int tries = 0; !finished(); ++tries) {
      if (tries < 1000) {
        std::this_thread::yield();
        continue;
      }
      if (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() > options_.patience) {
        abandon();
        raise<CommunicationError>("MpiCommunicator: no answer from the other processes for {} seconds",
                                  options_.patience);
      }
      std::this_thread::sleep_for(pause);
    }
  }

  void broadcast(std::span<std::byte> bytes, index_t root) {
    for (; !bytes.empty(); bytes = bytes.subspan(std::min(bytes.size(), largest))) {
      const auto part = bytes.first(std::min(bytes.size(), largest));
      begin("MPI_Ibcast", [&](MPI_Request* request) {
        return MPI_Ibcast(part.data(), static_cast<int>(part.size()), MPI_BYTE, static_cast<int>(root), world_,
                          request);
      });
      wait();
    }
  }

  /// MPI counts in ints; more bytes than these can count go by one broadcast a process.
  void all_gather(std::span<std::byte> all, std::span<const index_t> ends) {
    if (std::ssize(ends) != size_)
      raise<ShapeError>("MpiCommunicator::all_gather: {} ends given, {} expected", ends.size(), size_);
    if (!ends.empty() && ends.back() <= std::numeric_limits<int>::max()) return gather_at_once(all, ends);
    for (std::size_t r = 0; r < ends.size(); ++r) {
      const auto first = static_cast<std::size_t>(r ? ends[r - 1] : 0);
      broadcast(all.subspan(first, static_cast<std::size_t>(ends[r]) - first), static_cast<index_t>(r));
    }
  }

  void barrier() {
    begin("MPI_Ibarrier", [&](MPI_Request* request) { return MPI_Ibarrier(world_, request); });
    wait();
  }

  /// MPI cannot take back what was started: it is only left alone, and this object is of no further use. Nor is MPI to
  /// the program, which would move it along.
  void abandon() {
    const std::lock_guard lock(mutex_);
    failed_ = true;
  }

  /// Ends all processes of the job; does not return.
  [[noreturn]] void abort(int exit_code) {
    MPI_Abort(MPI_COMM_WORLD, exit_code);
    std::terminate();
  }

 private:
  static constexpr std::size_t largest = std::size_t{1} << 28;  // elements of a call, which counts them in ints
  static constexpr std::chrono::microseconds pause{20};

  void check(int result, std::string_view call) const {
    if (result == MPI_SUCCESS) return;
    char text[MPI_MAX_ERROR_STRING];
    int length = 0;
    MPI_Error_string(result, text, &length);
    raise<CommunicationError>("{}: {}", call, std::string_view(text, static_cast<std::size_t>(length)));
  }

  /// What MPI reads. In place Open MPI knows only the sum by a tree, which moves log2(size) times the data; from four
  /// processes on a copy is cheaper.
  const void* copied(std::span<float> values) {
    if (size_ < 4) return MPI_IN_PLACE;
    if (copies_.size() <= requests_.size()) copies_.resize(requests_.size() + 1);
    auto& copy = copies_[requests_.size()];
    copy.assign(values.begin(), values.end());
    return copy.data();
  }

  void require_whole() const {
    if (failed_) raise<CommunicationError>("MpiCommunicator: a call failed before, a new job expected");
  }

  template <class Call>
  void begin(std::string_view name, Call&& call) {
    {
      const std::lock_guard lock(mutex_);
      require_whole();
      MPI_Request request;
      check(call(&request), name);
      requests_.push_back(request);
    }
    work_.notify_one();
  }

  void gather_at_once(std::span<std::byte> all, std::span<const index_t> ends) {
    require_whole();  // MPI may still read counts and places of a call that failed
    counts_.clear(), places_.clear();
    for (std::size_t r = 0; r < ends.size(); ++r) {
      places_.push_back(static_cast<int>(r ? ends[r - 1] : 0));
      counts_.push_back(static_cast<int>(ends[r]) - places_.back());
    }
    begin("MPI_Iallgatherv", [&](MPI_Request* request) {
      return MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all.data(), counts_.data(), places_.data(), MPI_BYTE,
                             world_, request);
    });
    wait();
  }

  /// Moves the calls along; true when all are finished.
  bool finished() {
    const std::lock_guard lock(mutex_);
    require_whole();
    test();
    if (result_ != MPI_SUCCESS) failed_ = true;
    check(result_, "MPI_Testall");
    return requests_.empty();
  }

  void test() {
    if (requests_.empty() || result_ != MPI_SUCCESS || failed_) return;
    int done = 0;
    result_ = MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &done, MPI_STATUSES_IGNORE);
    if (done) requests_.clear();
  }

  /// Looks after the calls every few moments; in between the processor is free for the backward pass.
  void move_along() {
    std::unique_lock lock(mutex_);
    while (!leaving_) {
      work_.wait(lock, [&] { return leaving_ || !requests_.empty(); });
      test();
      lock.unlock();
      std::this_thread::sleep_for(pause);
      lock.lock();
    }
  }

  MpiOptions options_;
  int exceptions_, rank_ = 0, size_ = 1;
  bool owns_mpi_ = false;
  MPI_Comm world_ = MPI_COMM_NULL;
  int result_ = MPI_SUCCESS;  // of the last test
  std::atomic<bool> failed_ = false;
  std::vector<MPI_Request> requests_;
  std::vector<std::vector<float>> copies_;  // one a request that needs it
  std::vector<int> counts_, places_;        // of a gathering
  std::mutex mutex_;
  std::condition_variable work_;
  std::thread mover_;
  bool leaving_ = false;
};
static_assert(Communicator<MpiCommunicator>);

}  // namespace knnbert::inline v0_1
