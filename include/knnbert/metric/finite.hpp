#pragma once
#include "knnbert/core/finite.hpp"
#include "knnbert/core/view.hpp"

namespace knnbert::inline v0_1 {

/// Index of the first row with a non-finite element, -1 if there is none.
inline index_t first_non_finite_row(ConstView rows) {
  for (index_t i = 0; i < rows.rows(); ++i)
    if (!all_finite(rows.row(i))) return i;
  return -1;
}

/// Throws NonFiniteError if a row contains NaN or infinity.
inline void require_finite(std::string_view where, ConstView rows) {
  if (const index_t row = first_non_finite_row(rows); row >= 0)
    raise<NonFiniteError>("{}: row {} of {} is not finite, finite keys expected", where, row, rows.rows());
}

}  // namespace knnbert::inline v0_1
