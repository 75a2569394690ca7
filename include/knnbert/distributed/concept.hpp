#pragma once
#include <concepts>
#include <cstddef>
#include <span>

#include "knnbert/core/parameters.hpp"

namespace knnbert::inline v0_1 {

/// Other processes do not answer, or do not do the same as this one.
struct CommunicationError : Error {
  using Error::Error;
};

/// Another process failed where this one did not; that one knows why.
struct OtherProcessError : CommunicationError {
  using CommunicationError::CommunicationError;
};

/// One of size() processes that work on one task, the one with number rank().
/// All members but these two are collective: every process calls the same ones in the same order with the same sizes.
/// all_reduce(values) replaces values by their sums over the processes: the same bits on all of them, and each time.
/// start_all_reduce(values) does so in the background; nobody touches the values before wait(), which ends all that
/// were started. broadcast(bytes, root) copies the root's bytes. all_gather(all, ends): process r has filled bytes
/// [ends[r - 1], ends[r]) of `all`, afterwards everybody has all of them. barrier() returns when all have called it.
/// When a process dies or falls silent, the others' calls end with a CommunicationError, or their processes do.
/// A communicator that moves values while no call is under way also has abandon(), not collective: what was started is
/// given up, no value that was handed over is touched any more, and every later call throws. It is called where a
/// process fails between start_all_reduce() and wait().
/// Check yours with testing/communicator_laws.hpp.
template <class C>
concept Communicator = requires(C& communicator, const C& constant, std::span<float> values, std::span<std::byte> bytes,
                                index_t root, std::span<const index_t> ends) {
  { constant.rank() } -> std::convertible_to<index_t>;
  { constant.size() } -> std::convertible_to<index_t>;
  communicator.all_reduce(values);
  communicator.start_all_reduce(values);
  communicator.wait();
  communicator.broadcast(bytes, root);
  communicator.all_gather(bytes, ends);
  communicator.barrier();
};

/// One that reaches the device too: start_all_reduce(mirror, range) does the same with floats [range.begin, range.end)
/// there.
template <class C>
concept DeviceCommunicator = Communicator<C> && requires(C& communicator, Mirror& mirror, Range range) {
  communicator.start_all_reduce(mirror, range);
};

}  // namespace knnbert::inline v0_1
