#pragma once
#include <bit>

#include "knnbert/core/view.hpp"

namespace knnbert {

/// A number that is not finite where only finite ones may be kept.
struct NonFiniteError : Error {
  using Error::Error;
};

/// Index of the first row with a non-finite element, -1 if there is none.
inline index_t first_non_finite_row(ConstView rows) {
  constexpr std::uint32_t exponent =
      0x7f800000;  // all ones in NaN and infinity, whatever the compiler assumes of floats
  for (index_t i = 0; i < rows.rows(); ++i) {
    bool bad = false;
    for (const float x : rows.row(i)) bad |= (std::bit_cast<std::uint32_t>(x) & exponent) == exponent;
    if (bad) return i;
  }
  return -1;
}

/// Throws NonFiniteError if a row contains NaN or infinity.
inline void require_finite(std::string_view where, ConstView rows) {
  if (const index_t row = first_non_finite_row(rows); row >= 0)
    raise<NonFiniteError>("{}: row {} of {} is not finite, finite keys expected", where, row, rows.rows());
}

}  // namespace knnbert
