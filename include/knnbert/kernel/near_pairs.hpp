#pragma once
#include <limits>
#include <vector>

#include "knnbert/kernel/dot.hpp"
#include "knnbert/kernel/lower_panels.hpp"
#include "knnbert/kernel/product.hpp"

/// Pairs of rows whose inner product may be large, found with keys in bf16: half the memory to read, and the
/// processor's products of bf16. Whoever wants exact results scores these pairs again; worth up to 2 times for few
/// queries.
namespace knnbert::inline v0_1::kernel {

/// A query and a key whose approximate score reached the query's limit.
struct NearPair {
  index_t query, key;
};

/// Lanes of a key in bf16: two columns a lane, zeros up to a whole matrix register.
constexpr index_t near_lanes(index_t width) { return round_up(lanes_of<Bf16>(width), matrix_lanes); }

/// |score - approximate score| for rows of these lengths: both factors are rounded to bf16, by 2^-9 of their length at
/// most, and both scores are sums of `width` terms in fp32.
inline float near_error(float query_length, float key_length, index_t width) {
  constexpr double of_bf16 = 1.0 / 256 + 1.0 / 65536, of_sums = 1.0 / (1 << 21),
                   smallest = std::numeric_limits<float>::min();
  const double n = static_cast<double>(width), q = query_length, k = key_length;
  return static_cast<float>((of_bf16 + n * of_sums) * q * k + n * smallest * (1 + q + k));
}

/// An epilogue that writes no sums: pairs whose sum is not below the limit of their query are collected.
struct CollectNear {
  const float* limits;  // by query, infinity behind the last one of a panel
  std::vector<NearPair>* found;

  Touched touches(index_t, index_t) const { return {}; }
  template <class Arch>
  auto column(index_t query) const {
    return [near = *this, limit = load<Arch>(limits + query), query](index_t key, Floats<Arch> sums)
               KNNBERT_ALWAYS_INLINE_CALL {
                 if (!xsimd::all(sums < limit)) near.collect<Arch>(key, query, sums);
               };
  }

 private:
  template <class Arch>
  [[gnu::noinline]] void collect(index_t key, index_t query, Floats<Arch> sums) const {
    alignas(64) float all[lanes<Arch>];
    sums.store_aligned(all);
    for (index_t i = 0; i < lanes<Arch>; ++i)
      if (!(all[i] < limits[query + i])) found->push_back({query + i, key});
  }
};

/// Queries apart in even and odd columns, as the halves of a lane hold them: [B][2][near_lanes(D)].
inline void split_columns(ConstView rows, float* to) {
  const index_t wide = near_lanes(rows.cols());
  std::fill_n(to, rows.rows() * 2 * wide, 0.0f);
  for (index_t r = 0; r < rows.rows(); ++r)
    for (index_t c = 0; c < rows.cols(); ++c)
      to[(2 * r + c % 2) * wide + c / 2] = rows.row(r)[static_cast<std::size_t>(c)];
}

/// Near pairs of few queries, which split_columns() prepared, in fp32 with each key widened: for searches that wait for
/// memory.  keys [N, lanes]
template <class Arch>
void near_few(const float* queries, index_t count, ConstView keys, const CollectNear& near) {
  using F = Floats<Arch>;
  using I = Integers<Arch>;
  constexpr index_t head_start = 1536;  // bytes
  const index_t wide = keys.cols();
  for (index_t k = 0; k < keys.rows(); ++k) {
    const float* row = keys.data() + k * keys.stride();
    for (index_t c = 0; c < wide; c += panel_width)
      __builtin_prefetch(reinterpret_cast<const char*>(row + c) + head_start);
    for (index_t q = 0; q < count; ++q) {
      const float *even = queries + 2 * q * wide, *odd = even + wide;
      F low(0.0f), high(0.0f);
      for (index_t c = 0; c < wide; c += lanes<Arch>) {
        const I both = bits_as<I>(load<Arch>(row + c));
        low = xsimd::fma(bits_as<F>(both << 16), load<Arch>(even + c), low);
        high = xsimd::fma(bits_as<F>(both & I(static_cast<std::int32_t>(0xffff0000u))), load<Arch>(odd + c),
                          high);
      }
      if (!(sum<Arch>(low + high) < near.limits[q])) near.found->push_back({q, k});
    }
  }
}

/// The score of one pair, with the bits that scores() gives it.
template <class Arch>
float pair_score(const float* query, const float* key, index_t width) {
  Floats<Arch> sum(0.0f);
  index_t c = 0;
  for (; c + quad <= width; c += quad)
    sum = Product::step<Arch>(repeat_quad<Arch>(query + c), repeat_quad<Arch>(key + c), sum);
  if (c < width)
    sum = Product::step<Arch>(detail::repeat_first<Arch>(query + c, width - c),
                              detail::repeat_first<Arch>(key + c, width - c), sum);
  alignas(64) float all[lanes<Arch>];
  sum_quads<Arch>(sum, sum, sum, sum).store_aligned(all);
  return all[0];
}

struct NearFew : Entry<void(const float*, index_t, ConstView, const CollectNear&)> {
  template <class Arch>
  static constexpr type* function = near_few<Arch>;
};
template <>
inline void near_few<Dispatched>(const float* queries, index_t count, ConstView keys, const CollectNear& near) {
  dispatch<NearFew>(queries, count, keys, near);
}
struct PairScore : Entry<float(const float*, const float*, index_t)> {
  template <class Arch>
  static constexpr type* function = pair_score<Arch>;
};
template <>
inline float pair_score<Dispatched>(const float* query, const float* key, index_t width) {
  return dispatch<PairScore>(query, key, width);
}

/// Queries prepared for near_pairs().
template <class Arch>
class NearQueries {
 public:
  explicit NearQueries(ConstView queries) : count_(queries.rows()), lengths_(static_cast<std::size_t>(count_)) {
    for (index_t q = 0; q < count_; ++q) lengths_[static_cast<std::size_t>(q)] = length_of(queries.row(q));
    if (count_ <= few) {
      split_ = AlignedBuffer<float>(count_ * 2 * near_lanes(queries.cols()));
      split_columns(queries, split_.data());
    } else {
      lower(queries);
    }
  }

  static float length_of(std::span<const float> row) {
    double square = 0;
    for (const float x : row) square += static_cast<double>(x) * x;
    return static_cast<float>(std::sqrt(square) * (1 + 1e-6));
  }
  float length(index_t query) const { return lengths_[static_cast<std::size_t>(query)]; }
  index_t padded() const { return round_up(count_, panel_width); }

  /// Appends pairs of all queries with keys [N, lanes]; limits [padded()], infinity behind the last query.
  void near_pairs(ConstView keys, const float* limits, std::vector<NearPair>& found) const {
    const CollectNear near{limits, &found};
    if (count_ <= few) near_few<Arch>(split_.data(), count_, keys, near);
    else product<Arch, Bf16>(keys, panels_.panels.data(), count_, near);
  }

 private:
  static constexpr index_t few = 6;  // from where on products of bf16 are faster than reading is slow

  void lower(ConstView queries) {
    const index_t depth = 2 * near_lanes(queries.cols());
    AlignedBuffer<float> panels(padded() * depth);  // [N / 16][K][16]
    for (index_t q = 0; q < count_; ++q)
      for (index_t c = 0; c < queries.cols(); ++c)
        panels[(q / panel_width * depth + c) * panel_width + q % panel_width] =
            queries.row(q)[static_cast<std::size_t>(c)];
    panels_.panels.reserve(padded() * lanes_of<Bf16>(depth));
    lower_panels<Arch, Bf16>(panels.data(), depth, 0, padded() / panel_width, panels_);
  }

  index_t count_;
  std::vector<float> lengths_;
  AlignedBuffer<float> split_;
  LoweredWeight panels_;
};

}  // namespace knnbert::inline v0_1::kernel
