#pragma once
#include "knnbert/core/rng.hpp"

namespace knnbert::inline v0_1 {

/// Where a run stands; with the seed it determines every random number.
struct StepClock {
  std::uint64_t seed = 42, epoch = 0, step = 0;
  std::uint64_t steps = 0;  ///< of the whole run; 0: not known
  Rng rng(Stream stream) const { return Rng(seed, stream, epoch, step); }
};

}  // namespace knnbert::inline v0_1
