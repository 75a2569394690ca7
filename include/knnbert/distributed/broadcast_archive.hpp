#pragma once
#include <cstdint>
#include <string>

#include "knnbert/distributed/team.hpp"

namespace knnbert::inline v0_1 {

/// An archive (io/archive.hpp) that gives the state of process 0 to all others: one reads a checkpoint, all have it.
class BroadcastArchive {
 public:
  explicit BroadcastArchive(Team team) : team_(team) {}

  void operator()(const std::string&, std::int64_t& value) { value = broadcast_value(team_, value); }
  void operator()(const std::string&, std::vector<std::int64_t>& values) { exchange(values); }
  void operator()(const std::string&, std::vector<float>& values) { exchange(values); }
  void operator()(const std::string& name, std::span<float> values) {
    if (const auto size = broadcast_value(team_, std::ssize(values)); size != std::ssize(values))
      raise<CommunicationError>("{}: {} numbers here, {} on rank 0", name, values.size(), size);
    team_.broadcast(std::as_writable_bytes(values));
  }
  BroadcastArchive scope(std::string_view) const { return *this; }

 private:
  template <class T>
  void exchange(std::vector<T>& values) {
    values.resize(broadcast_value(team_, values.size()));
    team_.broadcast(std::as_writable_bytes(std::span(values)));
  }

  Team team_;
};

}  // namespace knnbert::inline v0_1
