#pragma once
#include "knnbert/distributed/concept.hpp"

namespace knnbert::inline v0_1 {

/// A process on its own.
struct SelfCommunicator {
  index_t rank() const { return 0; }
  index_t size() const { return 1; }
  void all_reduce(std::span<float>) {}
  void start_all_reduce(std::span<float>) {}
  void wait() {}
  void broadcast(std::span<std::byte>, index_t) {}
  void all_gather(std::span<std::byte>, std::span<const index_t>) {}
  void barrier() {}
};
static_assert(Communicator<SelfCommunicator>);

}  // namespace knnbert::inline v0_1
