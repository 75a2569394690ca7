#pragma once
#include <chrono>

#include "knnbert/kernel/peak.hpp"

namespace knnbert_benchmark {

using namespace knnbert;
using kernel::cpu_seconds;
using kernel::peak;

/// Seconds of a clock on the wall.
inline double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace knnbert_benchmark
