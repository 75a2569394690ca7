#pragma once
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>

#include "catch.hpp"
#include "knnbert/distributed/team.hpp"

namespace knnbert_test {

using namespace knnbert;

/// What the communicators of several threads share.
class ThreadMeeting {
 public:
  explicit ThreadMeeting(index_t size) : offers_(static_cast<std::size_t>(size)) {}

  index_t size() const { return std::ssize(offers_); }

  /// Everybody offers bytes; take(offers) runs when all are there, and nobody leaves before all have taken.
  template <class Take>
  void meet(index_t rank, std::span<std::byte> bytes, Take&& take) {
    offers_[static_cast<std::size_t>(rank)] = bytes;
    arrive();
    take(offers_);
    arrive();
  }
  /// Ends the waiting of all.
  void leave() {
    const std::lock_guard lock(mutex_);
    left_ = true;
    changed_.notify_all();
  }

 private:
  void arrive() {
    std::unique_lock lock(mutex_);
    const auto round = round_;
    if (++present_ == size()) {
      present_ = 0, ++round_;
      changed_.notify_all();
    }
    changed_.wait(lock, [&] { return round_ != round || left_; });
    if (round_ == round) raise<CommunicationError>("a thread left");
  }

  std::vector<std::span<std::byte>> offers_;
  std::mutex mutex_;
  std::condition_variable changed_;
  index_t present_ = 0, round_ = 0;
  bool left_ = false;
};

/// A communicator among threads: the trainer's part of distribution is tested without MPI. It also sees whether values
/// are touched between start_all_reduce() and wait().
class ThreadCommunicator {
 public:
  ThreadCommunicator(ThreadMeeting& meeting, index_t rank) : meeting_(meeting), rank_(rank) {}

  index_t rank() const { return rank_; }
  index_t size() const { return meeting_.size(); }
  index_t started() const { return std::ssize(started_); }  ///< since the last wait()

  void all_reduce(std::span<float> values) {
    std::vector<float> sums(values.size());
    meeting_.meet(rank_, std::as_writable_bytes(values), [&](const auto& offers) {
      for (const auto& offer : offers) {
        if (offer.size() != values.size_bytes())
          raise<CommunicationError>("{} bytes offered, {} expected", offer.size(), values.size_bytes());
        for (std::size_t i = 0; i < sums.size(); ++i) {
          float value;
          std::memcpy(&value, offer.data() + i * sizeof value, sizeof value);
          sums[i] += value;
        }
      }
    });
    std::copy(sums.begin(), sums.end(), values.begin());
  }
  void start_all_reduce(std::span<float> values) { started_.push_back({values, {values.begin(), values.end()}}); }
  void wait() {
    for (const auto& [values, before] : started_) {
      if (!values.empty() && std::memcmp(values.data(), before.data(), values.size_bytes()) != 0)
        raise<CommunicationError>("values were touched before wait()");
      all_reduce(values);
    }
    started_.clear();
  }
  void broadcast(std::span<std::byte> bytes, index_t root) {
    meeting_.meet(rank_, bytes, [&](const auto& offers) {
      if (rank_ != root && !bytes.empty())
        std::memcpy(bytes.data(), offers[static_cast<std::size_t>(root)].data(), bytes.size());
    });
  }
  void all_gather(std::span<std::byte> all, std::span<const index_t> ends) {
    const std::vector<std::byte> own(all.begin(), all.end());
    meeting_.meet(rank_, std::span(const_cast<std::byte*>(own.data()), own.size()), [&](const auto& offers) {
      for (std::size_t r = 0; r < offers.size(); ++r) {
        const auto first = r ? ends[r - 1] : 0;
        if (ends[r] > first)
          std::memcpy(all.data() + first, offers[r].data() + first, static_cast<std::size_t>(ends[r] - first));
      }
    });
  }
  void barrier() {
    meeting_.meet(rank_, {}, [](const auto&) {});
  }
  void abandon() { started_.clear(), abandoned_ = true; }
  bool abandoned() const { return abandoned_; }

 private:
  struct Started {
    std::span<float> values;
    std::vector<float> before;
  };
  ThreadMeeting& meeting_;
  index_t rank_;
  std::vector<Started> started_;
  bool abandoned_ = false;
};
static_assert(Communicator<ThreadCommunicator>);

/// In the threads of a team, where Catch must not be asked: a failure is thrown.
inline void require_in_team(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}
template <class Error, class F>
void require_error_in_team(F&& f) {
  try {
    f();
  } catch (const Error&) { return; } catch (const std::exception& error) {
    throw std::runtime_error(std::string("another error: ") + error.what());
  }
  throw std::runtime_error("no error");
}

/// Calls work(communicator) on as many threads; the first exception of one ends the others and is rethrown.
template <class Work>
void run_team(index_t size, Work&& work) {
  ThreadMeeting meeting(size);
  std::vector<std::thread> threads;
  std::exception_ptr first;
  std::mutex mutex;
  for (index_t rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      ThreadCommunicator communicator(meeting, rank);
      try {
        work(communicator);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!first) first = std::current_exception();
        meeting.leave();
      }
    });
  for (auto& thread : threads) thread.join();
  if (first) std::rethrow_exception(first);
}

}  // namespace knnbert_test
