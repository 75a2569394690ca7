#pragma once
#include "knnbert/kernel/dot.hpp"

/// Weighted sums of keys: what carries gradients of scores back to queries. Keys are taken in blocks; a block's sum is
/// formed in ascending order of keys and then added, so a row of the result depends on that row of weights only.
namespace knnbert::kernel {

namespace detail {

template <class Arch, int Rows, int Vectors>
[[gnu::noinline]] void accumulate_tile(const float* w, index_t w_stride, const float* k, index_t k_stride, index_t keys,
                                       float* out, index_t out_stride) {
  using F = Floats<Arch>;
  F sums[Rows][Vectors];
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) sums[i][v] = F(0.0f);
  for (index_t j = 0; j < keys; ++j) {
    F right[Vectors];
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) right[v] = in_register<Arch>(load<Arch>(k + j * k_stride + v * lanes<Arch>));
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
      const F left(w[i * w_stride + j]);
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) sums[i][v] = xsimd::fma(left, right[v], sums[i][v]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) {
      float* at = out + i * out_stride + v * lanes<Arch>;
      store<Arch>(at, load<Arch>(at) + sums[i][v]);
    }
}

/// The columns that do not fill a vector.
inline void accumulate_tail(const float* w, const float* k, index_t k_stride, index_t keys, index_t cols, float* out) {
  for (index_t c = 0; c < cols; ++c) {
    float total = 0;
    for (index_t j = 0; j < keys; ++j) total += w[j] * k[j * k_stride + c];
    out[c] += total;
  }
}

template <class Arch, int Rows>
void accumulate_strip(ConstView weights, index_t i, ConstView keys, index_t first, index_t count, View out) {
  const float* w = weights.data() + i * weights.stride() + first;
  const auto run = [&](auto vectors, index_t c) {
    accumulate_tile<Arch, Rows, decltype(vectors)::value>(w, weights.stride(), keys.data() + first * keys.stride() + c,
                                                          keys.stride(), count, out.data() + i * out.stride() + c,
                                                          out.stride());
  };
  constexpr int widest = tile_keys<Arch, 4>;
  index_t c = 0;
  for (; c + widest * lanes<Arch> <= keys.cols(); c += widest * lanes<Arch>)
    run(std::integral_constant<int, widest>{}, c);
  for (; c + lanes<Arch> <= keys.cols(); c += lanes<Arch>) run(std::integral_constant<int, 1>{}, c);
  if (c == keys.cols()) return;
  for (index_t r = i; r < i + Rows; ++r)
    accumulate_tail(weights.data() + r * weights.stride() + first, keys.data() + first * keys.stride() + c,
                    keys.stride(), count, keys.cols() - c, out.data() + r * out.stride() + c);
}

}  // namespace detail

/// out += weights * keys.  Cost: 2 B N D flops; keys are read from memory once.
template <class Arch>
void accumulate(ConstView weights,  // [B, N]
                ConstView keys,     // [N, D]
                View out) {         // [B, D]
  const index_t block = detail::keys_per_block(keys.cols());
  for (index_t first = 0; first < keys.rows(); first += block) {
    const index_t count = std::min(block, keys.rows() - first);
    index_t i = 0;
    for (; i + 4 <= weights.rows(); i += 4) detail::accumulate_strip<Arch, 4>(weights, i, keys, first, count, out);
    for (; i < weights.rows(); ++i) detail::accumulate_strip<Arch, 1>(weights, i, keys, first, count, out);
  }
}

/// out_i += sum over j of weights(i, j) * (queries_i - keys_j), without cancellation between close rows.
template <class Arch>
void accumulate_differences(ConstView weights,  // [B, N]
                            ConstView queries,  // [B, D]
                            ConstView keys,     // [N, D]
                            View out) {         // [B, D]
  for (index_t i = 0; i < weights.rows(); ++i) {
    const float* q = queries.row(i).data();
    float* to = out.row(i).data();
    for (index_t j = 0; j < keys.rows(); ++j) {
      const float w = weights(i, j);
      if (w == 0.0f) continue;
      const float* k = keys.row(j).data();
      index_t c = 0;
      for (; c + lanes<Arch> <= keys.cols(); c += lanes<Arch>)
        store<Arch>(to + c, xsimd::fma(Floats<Arch>(w), load<Arch>(q + c) - load<Arch>(k + c), load<Arch>(to + c)));
      for (; c < keys.cols(); ++c) to[c] += w * (q[c] - k[c]);
    }
  }
}

}  // namespace knnbert::kernel
