#pragma once
#include "knnbert/kernel/mean_rows.hpp"
#include "knnbert/text/batch.hpp"

namespace knnbert::inline v0_1 {

/// How a text's hidden states become its embedding: tanh layer on the first token, first token, or mean of all tokens.
enum class Pooling { pooler, cls, mean };

/// Rows of the first tokens: pooled [B, H].
inline void first_rows(ConstView hidden, std::span<const index_t> offsets, View pooled) {
  for (index_t b = 0; b + 1 < std::ssize(offsets); ++b)
    std::copy_n(hidden.row(offsets[as_size(b)] - offsets[0]).data(), hidden.cols(), pooled.row(b).data());
}

/// Adds d_pooled to the rows of the first tokens.
inline void add_first_rows_backward(ConstView d_pooled, std::span<const index_t> offsets, View d_hidden) {
  for (index_t b = 0; b + 1 < std::ssize(offsets); ++b)
    for (index_t c = 0; c < d_hidden.cols(); ++c) d_hidden(offsets[as_size(b)], c) += d_pooled(b, c);
}

}  // namespace knnbert::inline v0_1
