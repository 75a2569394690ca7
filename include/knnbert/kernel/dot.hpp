#pragma once
#include <algorithm>
#include <type_traits>

#include "knnbert/core/view.hpp"
#include "knnbert/kernel/arch.hpp"

/// Products of rows with rows, both read where they lie. The sum behind one (query, key) pair is formed lane by lane in
/// ascending column order and reduced once, whatever the blocking: it depends on that query and that key only.
namespace knnbert::kernel {

/// One step of an inner product and of a squared distance.
struct Product {
  template <class Arch>
  static KNNBERT_INLINE Floats<Arch> step(Floats<Arch> q, Floats<Arch> k, Floats<Arch> sum) {
    return xsimd::fma(q, k, sum);
  }
};
struct SquaredDifference {
  template <class Arch>
  static KNNBERT_INLINE Floats<Arch> step(Floats<Arch> q, Floats<Arch> k, Floats<Arch> sum) {
    const Floats<Arch> difference = q - k;
    return xsimd::fma(difference, difference, sum);
  }
};

/// The first count < lanes floats at p, zeros behind them; nothing else is read.
template <class Arch>
KNNBERT_INLINE Floats<Arch> load_first(const float* p, index_t count) {
  alignas(64) float all[lanes<Arch>] = {};
  for (index_t i = 0; i < count; ++i) all[i] = p[i];
  return Floats<Arch>::load_aligned(all);
}

/// Keeps a loaded vector in its register. The compiler would repeat the load as an operand of every use, and then
/// loads, not products, limit the loop.
template <class Arch>
KNNBERT_INLINE Floats<Arch> in_register(Floats<Arch> v) {
#if defined(__x86_64__)
  __asm__("" : "+v"(v.data));
#endif
  return v;
}

namespace detail {

/// Keys whose block stays in the second-level cache while all queries pass by.
inline index_t keys_per_block(index_t width) {
  constexpr index_t floats = 32768, whole_tiles = 24;  // a multiple of every tile's number of keys
  return std::clamp<index_t>(floats / std::max<index_t>(width, 1) / whole_tiles, 1, 128) * whole_tiles;
}

/// Keys of a tile: with 4 queries the accumulators fill the register file; a lone query needs many to hide latency.
template <class Arch, int Queries>
inline constexpr int tile_keys = Queries == 1            ? 8
                                 : registers<Arch> == 32 ? 6
                                                         : 3;

template <class Arch, class Step, int Queries, int Keys>
[[gnu::noinline]] void dot_tile(const float* q, index_t q_stride, const float* k, index_t k_stride, index_t width,
                                float* out, index_t out_stride) {
  using F = Floats<Arch>;
  F sums[Queries][Keys];
#pragma GCC unroll 8
  for (int i = 0; i < Queries; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < Keys; ++j) sums[i][j] = F(0.0f);
  const auto add = [&](auto&& fetch, index_t column) __attribute__((always_inline)) {
    F right[Keys];
#pragma GCC unroll 8
    for (int j = 0; j < Keys; ++j) right[j] = in_register<Arch>(fetch(k + j * k_stride + column));
#pragma GCC unroll 8
    for (int i = 0; i < Queries; ++i) {
      const F left = in_register<Arch>(fetch(q + i * q_stride + column));
#pragma GCC unroll 8
      for (int j = 0; j < Keys; ++j) sums[i][j] = Step::template step<Arch>(left, right[j], sums[i][j]);
    }
  };
  index_t c = 0;
  for (; c + lanes<Arch> <= width; c += lanes<Arch>) add([](const float* p) { return load<Arch>(p); }, c);
  if (c < width) add([rest = width - c](const float* p) { return load_first<Arch>(p, rest); }, c);
#pragma GCC unroll 8
  for (int i = 0; i < Queries; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < Keys; ++j) out[i * out_stride + j] = sum<Arch>(sums[i][j]);
}

template <class Arch, class Step, int Queries>
void dot_strip(ConstView queries, index_t i, ConstView keys, index_t first, index_t last, View out) {
  constexpr int tile = tile_keys<Arch, Queries>;
  const float* q = queries.data() + i * queries.stride();
  const auto run = [&](auto count, index_t j) {
    dot_tile<Arch, Step, Queries, decltype(count)::value>(q, queries.stride(), keys.data() + j * keys.stride(),
                                                          keys.stride(), queries.cols(),
                                                          out.data() + i * out.stride() + j, out.stride());
  };
  index_t j = first;
  for (; j + tile <= last; j += tile) run(std::integral_constant<int, tile>{}, j);
  for (; j < last; ++j) run(std::integral_constant<int, 1>{}, j);
}

/// out(i, j) = the sum of Step over the columns of query i and key j.
template <class Arch, class Step>
void all_pairs(ConstView queries, ConstView keys, View out) {
  const index_t block = keys_per_block(queries.cols());
  for (index_t first = 0; first < keys.rows(); first += block) {
    const index_t last = std::min(keys.rows(), first + block);
    index_t i = 0;
    for (; i + 4 <= queries.rows(); i += 4) dot_strip<Arch, Step, 4>(queries, i, keys, first, last, out);
    for (; i + 2 <= queries.rows(); i += 2) dot_strip<Arch, Step, 2>(queries, i, keys, first, last, out);
    for (; i < queries.rows(); ++i) dot_strip<Arch, Step, 1>(queries, i, keys, first, last, out);
  }
}

}  // namespace detail

/// out(i, j) = <queries_i, keys_j>.  Cost: 2 B N D flops.
template <class Arch>
void scores(ConstView queries,  // [B, D]
            ConstView keys,     // [N, D]
            View out) {         // [B, N]
  detail::all_pairs<Arch, Product>(queries, keys, out);
}

/// out(i, j) = |queries_i - keys_j|^2, from the differences: no cancellation between close rows.
template <class Arch>
void squared_distances(ConstView queries,  // [B, D]
                       ConstView keys,     // [N, D]
                       View out) {         // [B, N]
  detail::all_pairs<Arch, SquaredDifference>(queries, keys, out);
}

/// <a, b> of two rows, the same bits as scores() gives for them.
template <class Arch>
float dot(const float* a, const float* b, index_t width) {
  float result;
  detail::dot_tile<Arch, Product, 1, 1>(a, 0, b, 0, width, &result, 1);
  return result;
}

}  // namespace knnbert::kernel
