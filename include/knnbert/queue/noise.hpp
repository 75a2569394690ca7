#pragma once
#include <cmath>
#include <vector>

#include "knnbert/core/rng.hpp"
#include "knnbert/core/view.hpp"

namespace knnbert::inline v0_1::detail {

/// Gaussian numbers whose columns are brought to length 1: what KNN-BERT's released code fills a queue with. Rows are
/// about sqrt(columns / rows) long.
inline void fill_with_short_rows(View keys, const Rng& rng) {  // [K, D]
  std::vector<double> squares(as_size(keys.cols()));
  for (index_t i = 0; i < keys.rows(); ++i)
    for (index_t j = 0; j < keys.cols(); ++j) {
      const double value = rng.normal(static_cast<std::uint64_t>(i * keys.cols() + j));
      keys(i, j) = static_cast<float>(value), squares[as_size(j)] += value * value;
    }
  for (index_t i = 0; i < keys.rows(); ++i)
    for (index_t j = 0; j < keys.cols(); ++j) keys(i, j) /= static_cast<float>(std::sqrt(squares[as_size(j)]));
}

}  // namespace knnbert::inline v0_1::detail
