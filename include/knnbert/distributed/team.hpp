#pragma once
#include <cstring>
#include <exception>
#include <type_traits>
#include <utility>
#include <vector>

#include "knnbert/core/matrix.hpp"
#include "knnbert/core/parameters.hpp"
#include "knnbert/distributed/concept.hpp"

namespace knnbert::inline v0_1 {

/// Refers to a communicator of any type, so that trainers and terms need no parameter for it. Without one, or with one
/// of a single process, every call returns at once. The communicator must live as long.
class Team {
 public:
  Team() = default;
  template <Communicator C>
    requires(!std::same_as<C, Team>)
  Team(C& communicator) : rank_(communicator.rank()), size_(communicator.size()) {
    if (size_ > 1) object_ = &communicator, calls_ = &calls_of<C>;
  }

  index_t rank() const { return rank_; }
  index_t size() const { return size_; }
  bool first() const { return rank_ == 0; }  ///< the process that writes and prints

  void all_reduce(std::span<float> values) const { call(&Calls::all_reduce, values); }
  void start_all_reduce(std::span<float> values) const { call(&Calls::start_all_reduce, values); }
  /// Whether floats on a device can be summed there, by start_all_reduce(mirror, range).
  bool reaches_devices() const { return object_ && calls_->start_all_reduce_there; }
  void start_all_reduce(Mirror& mirror, Range range) const { call(&Calls::start_all_reduce_there, mirror, range); }
  void wait() const { call(&Calls::wait); }
  void broadcast(std::span<std::byte> bytes, index_t root = 0) const { call(&Calls::broadcast, bytes, root); }
  void all_gather(std::span<std::byte> all, std::span<const index_t> ends) const {
    call(&Calls::all_gather, all, ends);
  }
  void barrier() const { call(&Calls::barrier); }
  void abandon() const { call(&Calls::abandon); }

  /// Which of `count` items a process works on: contiguous, sizes differ by at most one.
  Range range_of(index_t rank, index_t count) const { return {count * rank / size_, count * (rank + 1) / size_}; }
  Range own_range(index_t count) const { return range_of(rank_, count); }

  /// Whether any process says so.
  bool any(bool mine) const {
    float sum = mine ? 1 : 0;
    all_reduce({&sum, 1});
    return sum > 0;
  }

  /// Calls work(), which may fail here and not elsewhere, and calls nothing collective. Where it fails, its exception
  /// goes on; the other processes, which would wait for this one, throw OtherProcessError.
  template <class Work>
  void together(std::string_view where, Work&& work) const {
    if (size_ == 1) return work();
    std::exception_ptr error;
    try {
      work();
    } catch (...) { error = std::current_exception(); }
    const bool failed = any(error != nullptr);
    if (error) std::rethrow_exception(error);
    if (failed) raise<OtherProcessError>("{}: another process failed, and says why", where);
  }
  /// The same for work of the first process alone.
  template <class Work>
  void on_first(std::string_view where, Work&& work) const {
    together(where, [&] {
      if (first()) work();
    });
  }

 private:
  struct Calls {
    void (*all_reduce)(void*, std::span<float>);
    void (*start_all_reduce)(void*, std::span<float>);
    void (*start_all_reduce_there)(void*, Mirror&, Range);  // null: cannot
    void (*wait)(void*);
    void (*broadcast)(void*, std::span<std::byte>, index_t);
    void (*all_gather)(void*, std::span<std::byte>, std::span<const index_t>);
    void (*barrier)(void*);
    void (*abandon)(void*);
  };
  template <class C>
  static constexpr auto there() -> void (*)(void*, Mirror&, Range) {
    if constexpr (DeviceCommunicator<C>)
      return [](void* c, Mirror& mirror, Range range) { static_cast<C*>(c)->start_all_reduce(mirror, range); };
    else return nullptr;
  }
  template <class C>
  static constexpr Calls calls_of{
      .all_reduce = [](void* c, std::span<float> values) { static_cast<C*>(c)->all_reduce(values); },
      .start_all_reduce = [](void* c, std::span<float> values) { static_cast<C*>(c)->start_all_reduce(values); },
      .start_all_reduce_there = there<C>(),
      .wait = [](void* c) { static_cast<C*>(c)->wait(); },
      .broadcast = [](void* c, std::span<std::byte> bytes,
                      index_t root) { static_cast<C*>(c)->broadcast(bytes, root); },
      .all_gather = [](void* c, std::span<std::byte> all,
                       std::span<const index_t> ends) { static_cast<C*>(c)->all_gather(all, ends); },
      .barrier = [](void* c) { static_cast<C*>(c)->barrier(); },
      .abandon =
          [](void* c) {
            if constexpr (requires(C & communicator) { communicator.abandon(); }) static_cast<C*>(c)->abandon();
          },
  };

  template <class Member, class... Arguments>
  void call(Member member, Arguments&&... arguments) const {
    if (object_) (calls_->*member)(object_, arguments...);
  }

  index_t rank_ = 0, size_ = 1;
  void* object_ = nullptr;
  const Calls* calls_ = nullptr;
};

/// A value of process 0, everywhere.
template <class T>
T broadcast_value(const Team& team, T value) {
  static_assert(std::is_trivially_copyable_v<T>);
  team.broadcast(std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

/// The values of all processes, one process behind the other; each may have another number of them.
template <class T>
std::vector<T> gather_values(const Team& team, std::span<const T> own) {
  static_assert(std::is_trivially_copyable_v<T>);
  const auto processes = static_cast<std::size_t>(team.size()), rank = static_cast<std::size_t>(team.rank());
  std::vector<index_t> bytes(processes), ends(processes);
  for (std::size_t r = 0; r < processes; ++r) ends[r] = static_cast<index_t>((r + 1) * sizeof(index_t));
  bytes[rank] = static_cast<index_t>(own.size_bytes());
  team.all_gather(std::as_writable_bytes(std::span(bytes)), ends);
  index_t end = 0;
  for (std::size_t r = 0; r < processes; ++r) ends[r] = end += bytes[r];
  std::vector<T> all(static_cast<std::size_t>(end) / sizeof(T));
  if (!own.empty())
    std::memcpy(reinterpret_cast<std::byte*>(all.data()) + (ends[rank] - bytes[rank]), own.data(), own.size_bytes());
  team.all_gather(std::as_writable_bytes(std::span(all)), ends);
  return all;
}

/// Completes a matrix of which every process has filled its own_range() of the rows.
void gather_rows(const Team& team, View rows);

/// Throws CommunicationError unless all processes give the same number.
void require_same(const Team& team, std::string_view what, std::uint64_t number);

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/distributed/team_impl.hpp"
#endif
