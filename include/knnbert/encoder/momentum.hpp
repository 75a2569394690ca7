#pragma once
#include "knnbert/core/parallel.hpp"
#include "knnbert/core/parameters.hpp"

namespace knnbert::inline v0_1 {

/// target += rate (source - target) over the given ranges, exactly unchanged where both are equal: with a rate of
/// 1 - momentum the key encoder of MoCo and KNN-BERT, and any average of parameters.
inline void follow(const ParameterBlock& source, ParameterBlock& target, float rate, std::span<const Range> ranges,
                   const Workers& workers) {
  if (source.size() != target.size())
    raise<ShapeError>("follow: blocks of {} and {} floats given, equal ones expected", source.size(), target.size());
  if (source.mirrored() && target.mirrored())  // one pass where the values are, over all of them
    return target.mirror_to_write().follow(source.mirror(), rate);
  const float* from = source.data();
  float* to = target.data();
  workers.for_each(std::ssize(ranges), [&](index_t i, index_t) {
    for (index_t at = ranges[static_cast<std::size_t>(i)].begin; at < ranges[static_cast<std::size_t>(i)].end; ++at)
      to[at] += rate * (from[at] - to[at]);
  });
}

}  // namespace knnbert::inline v0_1
