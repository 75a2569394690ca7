#pragma once
#include <utility>

#include "knnbert/kernel/packed_rows.hpp"

/// Sums over the columns of pairs of rows. Queries are packed once, keys are read once and where they lie. The sum
/// behind a pair is formed in four partial sums, of columns 4 n, 4 n + 1, ..., each in ascending order, and added as
/// (0 + 2) + (1 + 3): it depends on that query and that key only, not on blocking, batch or vector length.
namespace knnbert::inline v0_1::kernel {

/// One step of an inner product and of a squared distance; both are symmetric in their rows.
struct Product {
  template <class Arch>
  static KNNBERT_ALWAYS_INLINE Floats<Arch> step(Floats<Arch> q, Floats<Arch> k, Floats<Arch> sum) {
    return xsimd::fma(q, k, sum);
  }
};
struct SquaredDifference {
  template <class Arch>
  static KNNBERT_ALWAYS_INLINE Floats<Arch> step(Floats<Arch> q, Floats<Arch> k, Floats<Arch> sum) {
    const Floats<Arch> difference = q - k;
    return xsimd::fma(difference, difference, sum);
  }
};

/// The horizontal sums of four vectors: lane 4 g + i is the sum of quad g of v_i, as (0 + 2) + (1 + 3).
template <class Arch>
KNNBERT_ALWAYS_INLINE Floats<Arch> sum_quads(Floats<Arch> a, Floats<Arch> b, Floats<Arch> c, Floats<Arch> d) {
  using F = Floats<Arch>;
#if defined(__AVX512F__)
  if constexpr (lanes<Arch> == 16) {
    const F ab = F(_mm512_unpacklo_ps(a, b)) + F(_mm512_unpackhi_ps(a, b));
    const F cd = F(_mm512_unpacklo_ps(c, d)) + F(_mm512_unpackhi_ps(c, d));
    return F(_mm512_shuffle_ps(ab, cd, 0x44)) + F(_mm512_shuffle_ps(ab, cd, 0xEE));
  }
#endif
#if defined(__AVX__)
  if constexpr (lanes<Arch> == 8) {
    const F ab = F(_mm256_unpacklo_ps(a, b)) + F(_mm256_unpackhi_ps(a, b));
    const F cd = F(_mm256_unpacklo_ps(c, d)) + F(_mm256_unpackhi_ps(c, d));
    return F(_mm256_shuffle_ps(ab, cd, 0x44)) + F(_mm256_shuffle_ps(ab, cd, 0xEE));
  }
#endif
  const F vectors[quad] = {a, b, c, d};
  alignas(64) float from[lanes<Arch>], to[lanes<Arch>];
  for (int i = 0; i < quad; ++i) {
    vectors[i].store_aligned(from);
    for (index_t g = 0; g < lanes<Arch>; g += quad) to[g + i] = (from[g] + from[g + 2]) + (from[g + 1] + from[g + 3]);
  }
  return F::load_aligned(to);
}

/// Keys of the tile with this many vectors of queries. A lone vector waits for memory: few keys at a time, so that few
/// rows are read side by side (of 1,000,000 keys on a Zen 4: 8 keys 52 ms, 4 keys 64, 12 keys 100).
template <class Arch>
inline constexpr int pair_keys(int vectors) {
  if (vectors == 1) return registers<Arch> == 32 ? 8 : 4;
  return registers<Arch> == 32 ? 24 / vectors : 4;
}

/// The sums of a tile, in blocks of some queries with up to 4 keys: lane 4 g + i of blocks[v][b] belongs to query
/// v * quads_a_vector + g and key 4 b + i of the tile. Lanes past the last key repeat it.
template <class Arch, int Keys, int Vectors>
struct PairSums {
  static constexpr int keys = Keys, vectors = Vectors, key_blocks = (Keys + quad - 1) / quad;
  Floats<Arch> blocks[as_size(vectors)][as_size(key_blocks)];

  static constexpr int keys_of(int block) { return std::min(quad, Keys - block * quad); }

  /// True if every sum is below the limit of its lane; NaN is not. limits: [vectors][lanes].
  KNNBERT_ALWAYS_INLINE bool all_below(const float* limits) const {
    auto below = blocks[0][0] < load<Arch>(limits);
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v)
#pragma GCC unroll 4
      for (int b = 0; b < key_blocks; ++b) below = below && blocks[v][b] < load<Arch>(limits + v * lanes<Arch>);
    return xsimd::all(below);
  }
  bool block_below(int v, int b, const float* limits) const {
    return xsimd::all(blocks[v][b] < load<Arch>(limits + v * lanes<Arch>));
  }
};

namespace detail {

/// Keeps a vector in its register; the compiler would move it to the stack for what follows.
template <class Arch>
KNNBERT_ALWAYS_INLINE Floats<Arch> in_register(Floats<Arch> v) {
#if defined(__x86_64__)
  __asm__("" : "+v"(v.data));
#endif
  return v;
}

/// Memory that will be needed soon: at every step, `bytes` more of it are asked for, in whole lines, to the second
/// level of the cache. The first one is full of what is being multiplied: asked for there, keys from memory took a
/// fifth longer on a Zen 4.
struct Upcoming {
  const char* from;
  index_t bytes;
  template <int Lines>
  KNNBERT_ALWAYS_INLINE void step() {
#pragma GCC unroll 4
    for (int line = 0; line < Lines; ++line) __builtin_prefetch(from + line * 64, 0, 2);
    from += bytes;
  }
};

/// A pointer whose origin the compiler forgets, so that it derives no others from it.
KNNBERT_ALWAYS_INLINE const float* opaque(const float* p) {
  __asm__("" : "+r"(p));
  return p;
}

/// The first count floats at p, zeros behind them, in every quad of lanes.
template <class Arch>
KNNBERT_ALWAYS_INLINE Floats<Arch> repeat_first(const float* p, index_t count) {
  float some[quad] = {};
  for (index_t i = 0; i < count; ++i) some[i] = p[i];
  return repeat_quad<Arch>(some);
}

template <class Arch, class Step, int Keys, int Vectors, class Finish>
[[gnu::noinline]] void pair_tile(const float* panel, const float* keys, index_t stride, index_t width, Upcoming ahead,
                                 const Finish& finish) {
  using F = Floats<Arch>;
  constexpr int lines = (Keys * quad + 15) / 16;  // of keys a step
  F sums[as_size(Keys)][as_size(Vectors)];
#pragma GCC unroll 16
  for (int j = 0; j < Keys; ++j)
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) sums[j][v] = F(0.0f);
  constexpr int pointers = (Keys + 2) / 3;  // a pointer a row would not fit the general registers
  const float* rows[as_size(pointers)];
#pragma GCC unroll 8
  for (int p = 0; p < pointers; ++p) rows[p] = keys + 3 * p * stride;
  const auto step = [&](auto&& fetch) __attribute__((always_inline)) {
    F left[as_size(Vectors)];
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) left[v] = load<Arch>(panel + v * lanes<Arch>);
#pragma GCC unroll 16
    for (int j = 0; j < Keys; ++j) {
      const F right = fetch(rows[j / 3] + j % 3 * stride);
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) sums[j][v] = Step::template step<Arch>(left[v], right, sums[j][v]);
    }
    panel += Vectors * lanes<Arch>;
  };
#pragma GCC unroll 2
  for (index_t c = 0; c + quad <= width; c += quad) {
    ahead.template step<lines>();
    step([](const float* p) { return repeat_quad<Arch>(p); });
#pragma GCC unroll 8
    for (int p = 0; p < pointers; ++p) rows[p] = opaque(rows[p] + quad);
  }
  if (width % quad != 0) step([rest = width % quad](const float* p) { return repeat_first<Arch>(p, rest); });
#pragma GCC unroll 16
  for (int j = 0; j < Keys; ++j)
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) sums[j][v] = in_register<Arch>(sums[j][v]);
  PairSums<Arch, Keys, Vectors> result;
#pragma GCC unroll 4
  for (int v = 0; v < Vectors; ++v)
#pragma GCC unroll 4
    for (int j = 0; j < Keys; j += quad) {
      // the last key stands for missing ones
      const auto sum_of = [&](int i) { return sums[std::min(j + i, Keys - 1)][v]; };
      result.blocks[v][j / quad] = sum_quads<Arch>(sum_of(0), sum_of(1), sum_of(2), sum_of(3));
    }
  finish(result);
}

/// All queries with keys [first, first + Keys). The keys after them are asked for meanwhile.
template <class Arch, class Step, int Keys, int Tallest, class Finish>
void pair_strip(const PackedRows<Arch>& queries, ConstView keys, index_t first, const Finish& finish) {
  constexpr index_t head_start = 2048;  // bytes beyond the next keys
  const float* from = keys.data() + first * keys.stride();
  const index_t bytes = Keys * keys.stride() * index_t{sizeof(float)}, bytes_a_panel = bytes / queries.panels();
  for (index_t p = 0; p < queries.panels(); ++p) {
    const Upcoming ahead{reinterpret_cast<const char*>(from) + bytes + head_start + bytes_a_panel * p,
                         bytes_a_panel / std::max<index_t>(1, keys.cols() / quad)};
    const auto put = [&finish, first, query = queries.first_vector(p) * quads_a_vector<Arch> ](const auto& sums)
        __attribute__((always_inline)) {
      finish(query, first, sums);
    };
    if (Tallest == 1 || queries.panel_vectors(p) == Tallest)
      pair_tile<Arch, Step, Keys, Tallest>(queries.panel(p), from, keys.stride(), keys.cols(), ahead, put);
    else
      pair_tile<Arch, Step, Keys, std::max(1, Tallest - 1)>(queries.panel(p), from, keys.stride(), keys.cols(), ahead,
                                                            put);
  }
}

template <class Arch, class Step, int Tallest, class Finish>
void pair_strips(const PackedRows<Arch>& queries, ConstView keys, const Finish& finish) {
  constexpr int tile = pair_keys<Arch>(Tallest);
  index_t j = 0;
  for (; j + tile <= keys.rows(); j += tile) pair_strip<Arch, Step, tile, Tallest>(queries, keys, j, finish);
  for (; j < keys.rows(); ++j) pair_strip<Arch, Step, 1, Tallest>(queries, keys, j, finish);
}

}  // namespace detail

/// Calls finish(query, key, PairSums) for tiles that cover all pairs and begin at that query and key; queries may reach
/// past the last one.  Cost: 2 B N D flops.
template <class Arch, class Step, class Finish>
void for_each_pair(const PackedRows<Arch>& queries,  // [B, D]
                   ConstView keys,                   // [N, D]
                   const Finish& finish) {
  if (queries.rows() == 0) return;
  const int tallest = queries.panel_vectors(queries.panels() - 1);
  [&]<int... V>(std::integer_sequence<int, V...>) {
    (void)((tallest == V + 1 && (detail::pair_strips<Arch, Step, V + 1>(queries, keys, finish), true)) || ...);
  }
  (std::make_integer_sequence<int, pair_vectors<Arch>>{});
}

}  // namespace knnbert::inline v0_1::kernel
