#pragma once
#include <bit>
#include <cstdint>
#include <span>

#include "knnbert/core/error.hpp"

namespace knnbert::inline v0_1 {

/// A number that is not finite where only finite ones may be kept.
struct NonFiniteError : Error {
  using Error::Error;
};

/// Whether no number is NaN or infinite, whatever the compiler assumes of floats.  Cost: one pass, vectorized at -O2.
inline bool all_finite(std::span<const float> numbers) {
  constexpr std::uint32_t exponent = 0x7f800000;  // all ones in NaN and infinity
  constexpr std::size_t lanes = 16;
  const auto is_bad = [&](float x) { return std::uint32_t{(std::bit_cast<std::uint32_t>(x) & exponent) == exponent}; };
  std::uint32_t bad[lanes] = {};
  std::size_t i = 0;
  for (; i + lanes <= numbers.size(); i += lanes)
    for (std::size_t lane = 0; lane < lanes; ++lane) bad[lane] |= is_bad(numbers[i + lane]);
  for (; i < numbers.size(); ++i) bad[0] |= is_bad(numbers[i]);
  for (std::size_t lane = 1; lane < lanes; ++lane) bad[0] |= bad[lane];
  return bad[0] == 0;
}

}  // namespace knnbert::inline v0_1
