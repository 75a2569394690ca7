#pragma once
#include "knnbert/kernel/dot.hpp"

/// Weighted sums of keys: what carries gradients of scores back to queries. Keys are taken in blocks; a block's sum is
/// formed in ascending order of keys and then added, so a row of the result depends on that row of weights only.
namespace knnbert::inline v0_1::kernel {

namespace detail {

/// Rows of weights and vectors of columns of a tile: the accumulators, the vectors of a key and one weight fill the
/// register file.
template <class Arch>
inline constexpr int accumulate_rows = registers<Arch> == 32 ? 8 : 4;
inline constexpr int accumulate_vectors = 3;

/// Keys whose block stays in the second-level cache while all rows of weights pass by.
inline index_t keys_per_block(index_t width) {
  constexpr index_t floats = 32768;
  return std::clamp<index_t>(floats / std::max<index_t>(width, 1), 16, 2048);
}

template <class Arch, int Rows, int Vectors>
[[gnu::noinline]] void accumulate_tile(const float* w, index_t w_stride, const float* k, index_t k_stride, index_t keys,
                                       Upcoming ahead, float* out, index_t out_stride) {
  using F = Floats<Arch>;
  F sums[as_size(Rows)][as_size(Vectors)];
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) sums[i][v] = F(0.0f);
  for (index_t j = 0; j < keys; ++j) {
    ahead.template step<2>();
    F right[as_size(Vectors)];
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) right[v] = load<Arch>(k + v * lanes<Arch>);
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
      const F left(w[i * w_stride]);
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) sums[i][v] = xsimd::fma(left, right[v], sums[i][v]);
    }
    ++w, k += k_stride;
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

/// A block of keys with all its columns: where it lies, its weights, and what it adds to.
struct AccumulateBlock {
  ConstView weights, keys;  // [B, n], [n, D]
  View out;                 // [B, D]

  const float* w(index_t row) const { return weights.data() + row * weights.stride(); }
  float* to(index_t row, index_t column) const { return out.data() + row * out.stride() + column; }

  template <class Arch, int Vectors>
  void columns(index_t c, Upcoming ahead) const {
    constexpr int most = accumulate_rows<Arch>;
    const auto run = [&](auto rows, index_t i) {
      accumulate_tile<Arch, decltype(rows)::value, Vectors>(w(i), weights.stride(), keys.data() + c, keys.stride(),
                                                            keys.rows(), ahead, to(i, c), out.stride());
      ahead.from += ahead.bytes * keys.rows();
    };
    index_t i = 0;
    for (; i + most <= weights.rows(); i += most) run(std::integral_constant<int, most>{}, i);
    for (; i + most / 2 <= weights.rows(); i += most / 2) run(std::integral_constant<int, most / 2>{}, i);
    for (; i < weights.rows(); ++i) run(std::integral_constant<int, 1>{}, i);
  }

  template <class Arch>
  void add() const {
    constexpr index_t widest = accumulate_vectors * lanes<Arch>;
    const index_t strips = keys.cols() / widest, bytes = keys.rows() * keys.stride() * index_t{sizeof(float)};
    const index_t tiles =
        std::max<index_t>(1, strips * ((weights.rows() + accumulate_rows<Arch> - 1) / accumulate_rows<Arch>));
    for (index_t i = 0; i < weights.rows(); ++i)
      for (index_t j = 0; j < keys.rows(); j += 16) __builtin_prefetch(w(i) + keys.rows() + j);
    const char* next = reinterpret_cast<const char*>(keys.data()) + bytes;
    index_t c = 0;
    for (index_t s = 0; s < strips; ++s, c += widest)
      columns<Arch, accumulate_vectors>(c,
                                        {next + bytes / strips * s, bytes / tiles / std::max<index_t>(keys.rows(), 1)});
    for (; c + lanes<Arch> <= keys.cols(); c += lanes<Arch>) columns<Arch, 1>(c, {next, 0});
    if (c == keys.cols()) return;
    for (index_t i = 0; i < weights.rows(); ++i)
      accumulate_tail(w(i), keys.data() + c, keys.stride(), keys.rows(), keys.cols() - c, to(i, c));
  }
};

}  // namespace detail

/// out += weights * keys.  Cost: 2 B N D flops; keys are read from memory once.
template <class Arch>
void accumulate(ConstView weights,  // [B, N]
                ConstView keys,     // [N, D]
                View out) {         // [B, D]
  const index_t block = detail::keys_per_block(keys.cols());
  for (index_t first = 0; first < keys.rows(); first += block) {
    const index_t count = std::min(block, keys.rows() - first);
    detail::AccumulateBlock{weights.col_range(first, count), keys.row_range(first, count), out}.template add<Arch>();
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

struct Accumulate : Entry<void(ConstView, ConstView, View)> {
  template <class Arch>
  static constexpr type* function = accumulate<Arch>;
};
template <>
inline void accumulate<Dispatched>(ConstView weights, ConstView keys, View out) {
  dispatch<Accumulate>(weights, keys, out);
}
struct AccumulateDifferences : Entry<void(ConstView, ConstView, ConstView, View)> {
  template <class Arch>
  static constexpr type* function = accumulate_differences<Arch>;
};
template <>
inline void accumulate_differences<Dispatched>(ConstView weights, ConstView queries, ConstView keys, View out) {
  dispatch<AccumulateDifferences>(weights, queries, keys, out);
}

}  // namespace knnbert::inline v0_1::kernel
