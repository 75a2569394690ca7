#pragma once
#include "knnbert/kernel/epilogue.hpp"
#include "knnbert/text/batch.hpp"

namespace knnbert {

/// How a text's hidden states become its embedding: tanh layer on the first token, first token, or mean of all tokens.
enum class Pooling { pooler, cls, mean };

namespace kernel {

/// pooled [B, H] = mean over each text's rows of hidden [T, H], summed in order.
template <class Arch>
void mean_rows(ConstView hidden, std::span<const index_t> offsets, View pooled) {
  using F = Floats<Arch>;
  const index_t origin = offsets[0];
  for (index_t b = 0; b + 1 < std::ssize(offsets); ++b) {
    const F length(static_cast<float>(offsets[b + 1] - offsets[b]));
    for (index_t c = 0; c < hidden.cols(); c += lanes<Arch>) {
      F total(0.0f);
      for (index_t t = offsets[b]; t < offsets[b + 1]; ++t) total = total + load_at<Arch>(hidden, t - origin, c);
      store_at<Arch>(pooled, b, c, total / length);
    }
  }
}

/// Adds d_pooled / length to every row of each text.
template <class Arch>
void add_mean_rows_backward(ConstView d_pooled, std::span<const index_t> offsets, View d_hidden) {
  using F = Floats<Arch>;
  for (index_t b = 0; b + 1 < std::ssize(offsets); ++b) {
    const F length(static_cast<float>(offsets[b + 1] - offsets[b]));
    for (index_t t = offsets[b]; t < offsets[b + 1]; ++t)
      for (index_t c = 0; c < d_hidden.cols(); c += lanes<Arch>)
        store_at<Arch>(d_hidden, t, c, load_at<Arch>(d_hidden, t, c) + load_at<Arch>(d_pooled, b, c) / length);
  }
}

}  // namespace kernel

/// Rows of the first tokens: pooled [B, H].
inline void first_rows(ConstView hidden, std::span<const index_t> offsets, View pooled) {
  for (index_t b = 0; b + 1 < std::ssize(offsets); ++b)
    std::copy_n(hidden.row(offsets[b] - offsets[0]).data(), hidden.cols(), pooled.row(b).data());
}

/// Adds d_pooled to the rows of the first tokens.
inline void add_first_rows_backward(ConstView d_pooled, std::span<const index_t> offsets, View d_hidden) {
  for (index_t b = 0; b + 1 < std::ssize(offsets); ++b)
    for (index_t c = 0; c < d_hidden.cols(); ++c) d_hidden(offsets[b], c) += d_pooled(b, c);
}

}  // namespace knnbert
