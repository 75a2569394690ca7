#pragma once
#include "knnbert/kernel/row_pairs.hpp"

/// Products and distances of rows with rows as matrices, and the product of two rows.
namespace knnbert::inline v0_1::kernel {

/// The first count < lanes floats at p, zeros behind them; nothing else is read.
template <class Arch>
KNNBERT_ALWAYS_INLINE Floats<Arch> load_first(const float* p, index_t count) {
  alignas(64) float all[lanes<Arch>] = {};
  for (index_t i = 0; i < count; ++i) all[i] = p[i];
  return Floats<Arch>::load_aligned(all);
}

namespace detail {

/// Writes the sums of for_each_pair to a matrix.
template <class Arch>
struct StoreSums {
  View out;  // [B, N]

  template <int Keys, int Vectors>
  KNNBERT_ALWAYS_INLINE void operator()(index_t query, index_t key, const PairSums<Arch, Keys, Vectors>& sums) const {
    using Sums = PairSums<Arch, Keys, Vectors>;
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v)
#pragma GCC unroll 4
      for (int b = 0; b < Sums::key_blocks; ++b)
        store_block(query + v * quads_a_vector<Arch>, key + b * quad, Sums::keys_of(b), sums.blocks[v][b]);
  }

 private:
  KNNBERT_ALWAYS_INLINE void store_block(index_t query, index_t key, int count, Floats<Arch> block) const {
    alignas(64) float all[lanes<Arch>];
    block.store_aligned(all);
    float* to = out.data() + query * out.stride() + key;
    if (query + quads_a_vector<Arch> <= out.rows()) {
#pragma GCC unroll 4
      for (index_t g = 0; g < quads_a_vector<Arch>; ++g) {
        __builtin_prefetch(to + g * out.stride() + 8, 1);  // or the stores wait for the line
        std::copy_n(all + g * quad, count, to + g * out.stride());
      }
    } else {
      for (index_t g = 0; query + g < out.rows(); ++g) std::copy_n(all + g * quad, count, to + g * out.stride());
    }
  }
};

}  // namespace detail

/// out(i, j) = <queries_i, keys_j>.  Cost: 2 B N D flops.
template <class Arch>
void scores(ConstView queries,  // [B, D]
            ConstView keys,     // [N, D]
            View out) {         // [B, N]
  for_each_pair<Arch, Product>(PackedRows<Arch>(queries), keys, detail::StoreSums<Arch>{out});
}

/// out(i, j) = |queries_i - keys_j|^2, from the differences: no cancellation between close rows.
template <class Arch>
void squared_distances(ConstView queries,  // [B, D]
                       ConstView keys,     // [N, D]
                       View out) {         // [B, N]
  for_each_pair<Arch, SquaredDifference>(PackedRows<Arch>(queries), keys, detail::StoreSums<Arch>{out});
}

/// <a, b> of two rows. The order of its sum is another than that of scores().
template <class Arch>
float dot(const float* a, const float* b, index_t width) {
  using F = Floats<Arch>;
  F even(0.0f), odd(0.0f);
  index_t c = 0;
  for (; c + 2 * lanes<Arch> <= width; c += 2 * lanes<Arch>) {
    even = xsimd::fma(load<Arch>(a + c), load<Arch>(b + c), even);
    odd = xsimd::fma(load<Arch>(a + c + lanes<Arch>), load<Arch>(b + c + lanes<Arch>), odd);
  }
  for (; c < width; c += lanes<Arch>) {
    const index_t count = std::min(lanes<Arch>, width - c);
    even = xsimd::fma(load_first<Arch>(a + c, count), load_first<Arch>(b + c, count), even);
  }
  return sum<Arch>(even + odd);
}

struct Scores : Entry<void(ConstView, ConstView, View)> {
  template <class Arch>
  static constexpr type* function = scores<Arch>;
};
template <>
inline void scores<Dispatched>(ConstView queries, ConstView keys, View out) {
  dispatch<Scores>(queries, keys, out);
}
struct SquaredDistances : Entry<void(ConstView, ConstView, View)> {
  template <class Arch>
  static constexpr type* function = squared_distances<Arch>;
};
template <>
inline void squared_distances<Dispatched>(ConstView queries, ConstView keys, View out) {
  dispatch<SquaredDistances>(queries, keys, out);
}
struct DotOfRows : Entry<float(const float*, const float*, index_t)> {
  template <class Arch>
  static constexpr type* function = dot<Arch>;
};
template <>
inline float dot<Dispatched>(const float* a, const float* b, index_t width) {
  return dispatch<DotOfRows>(a, b, width);
}

}  // namespace knnbert::inline v0_1::kernel
