#pragma once
#include <bit>
#include <string>

#include "knnbert/core/parameters.hpp"
#include "knnbert/core/rng.hpp"

namespace knnbert {

/// 16 hexadecimal digits that change with any bit of the parameters: keys made by one encoder are told from another's.
/// Not cryptographic.  Cost: one pass over the block.  Errors: OptionError if some values were dropped.
inline std::string fingerprint(const ParameterBlock& values) {
  values.require_complete("fingerprint");
  std::uint64_t lanes[4] = {1, 2, 3, 4};  // independent chains hide the latency of the multiplications
  const float* floats = values.data();
  for (index_t i = 0; i + 3 < values.size(); i += 4)
    for (int j = 0; j < 4; ++j) lanes[j] = (lanes[j] ^ std::bit_cast<std::uint32_t>(floats[i + j])) * 0x9e3779b97f4a7c15u + (lanes[j] >> 47);
  std::uint64_t hash = static_cast<std::uint64_t>(values.size());
  for (const auto lane : lanes) hash = mix_bits(hash ^ lane);
  std::string digits;
  for (int shift = 60; shift >= 0; shift -= 4) digits += "0123456789abcdef"[(hash >> shift) & 15];
  return digits;
}

}  // namespace knnbert
