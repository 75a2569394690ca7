#pragma once
#include <bit>
#include <limits>

#include "knnbert/kernel/attention.hpp"
#include "knnbert/kernel/lower.hpp"

/// Attention whose products run in int8, for passes without gradients and texts that are not short: half the time of
/// products in bf16. Queries and keys are quantized row by row, values column by column, probabilities in steps of
/// 1/255 of the row's largest; nothing is calibrated.
namespace knnbert::inline v0_1::kernel {

namespace detail {

/// Elements [at, at + lanes) of a row of bf16.
template <class Arch>
KNNBERT_ALWAYS_INLINE Floats<Arch> load_bf16(const float* row, index_t at) {
  const auto* from = reinterpret_cast<const unsigned char*>(row) + 2 * at;
#if defined(__AVX512F__)
  if constexpr (lanes<Arch> == 16)
    return Floats<Arch>(_mm512_castsi512_ps(
        _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))), 16)));
#endif
  alignas(64) float all[lanes<Arch>];
  for (index_t i = 0; i < lanes<Arch>; ++i) {
    std::uint16_t half;
    std::memcpy(&half, from + 2 * i, 2);
    all[i] = std::bit_cast<float>(std::uint32_t{half} << 16);
  }
  return load<Arch>(all);
}

/// The lowest byte of every lane, from byte `at` of a row on.
template <class Arch>
KNNBERT_ALWAYS_INLINE void store_bytes(float* row, index_t at, Floats<Arch> v) {
  auto* to = reinterpret_cast<unsigned char*>(row) + at;
#if defined(__AVX512F__)
  if constexpr (lanes<Arch> == 16)
    return _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(_mm512_castps_si512(v)));
#endif
  alignas(64) float all[lanes<Arch>];
  store<Arch>(all, v);
  for (index_t i = 0; i < lanes<Arch>; ++i) std::memcpy(to + i, all + i, 1);
}

/// to = Zero + round(x / scale) byte by byte; returns scale, the row's largest |x| / 127.  row [width] in bf16, width a
/// multiple of 16
template <class Arch, int Zero>
KNNBERT_ALWAYS_INLINE float quantize_row(const float* row, index_t width, float* to) {
  using F = Floats<Arch>;
  F most(0.0f);
  for (index_t c = 0; c < width; c += lanes<Arch>) most = xsimd::max(most, xsimd::abs(load_bf16<Arch>(row, c)));
  const float largest_size = largest<Arch>(most);
  const F factor(largest_size > 0 ? 127.0f / largest_size : 0.0f), zero(round_to_integer + Zero);
  for (index_t c = 0; c < width; c += lanes<Arch>)
    store_bytes<Arch>(to, c, xsimd::fma(load_bf16<Arch>(row, c), factor, zero));
  return largest_size / 127.0f;
}

}  // namespace detail

/// Values of one text, four rows a lane, and what a byte of each column means; scratch of one thread, grows only.
class QuantizedValues {
 public:
  /// values [L, lanes of H] in bf16, H a multiple of 16
  template <class Arch>
  void assign(ConstView values);
  ConstView quads() const { return quads_; }              ///< [(L + 3) / 4, H]
  const float* scales() const { return scales_.data(); }  ///< [H]

 private:
  Matrix quads_;
  AlignedBuffer<float> scales_;
};

template <class Arch>
void quantize_values(ConstView values, View quads, float* scales) {
  using F = Floats<Arch>;
  std::fill_n(scales, quads.cols(), 0.0f);
  for (index_t r = 0; r < values.rows(); ++r)
    for (index_t c = 0; c < quads.cols(); c += lanes<Arch>)
      store<Arch>(scales + c,
                  xsimd::max(load<Arch>(scales + c), xsimd::abs(detail::load_bf16<Arch>(values.row(r).data(), c))));
  for (index_t c = 0; c < quads.cols(); c += lanes<Arch>) {
    const F most = load<Arch>(scales + c), factor = xsimd::select(most > F(0.0f), F(127.0f) / most, F(0.0f));
    for (index_t m = 0; m < quads.rows(); ++m) {
      Integers<Arch> lane(0);
      for (index_t i = 0; i < std::min<index_t>(4, values.rows() - 4 * m); ++i) {
        const F q = xsimd::fma(detail::load_bf16<Arch>(values.row(4 * m + i).data(), c), factor, F(round_to_integer));
        lane = lane | ((bits_as<Integers<Arch>>(q) & Integers<Arch>(0xff)) << static_cast<int>(8 * i));
      }
      store_at<Arch>(quads, m, c, bits_as<F>(lane));
    }
    store<Arch>(scales + c, most * F(1.0f / 127.0f));
  }
}
struct QuantizeValues : Entry<void(ConstView, View, float*)> {
  template <class Arch>
  static constexpr type* function = quantize_values<Arch>;
};
template <>
inline void quantize_values<Dispatched>(ConstView values, View quads, float* scales) {
  dispatch<QuantizeValues>(values, quads, scales);
}

template <class Arch>
void QuantizedValues::assign(ConstView values) {
  quads_.resize((values.rows() + 3) / 4, 2 * values.cols());
  scales_.reserve(quads_.cols());
  quantize_values<Arch>(values, quads_, scales_.data());
}

/// One head of 16, 32, ... or 128 columns.
struct AttentionHeadInt8 {
  ConstView query, key;       // [L, E / 2], lanes of bf16
  ConstView value;            // [(L + 3) / 4, E], see QuantizedValues
  const float* value_scales;  // [E]
  float scale;

  static bool possible(index_t width) { return width % 16 == 0 && width <= 128; }
};

namespace detail {

/// out = sum * scales[column] + shifts[column], of sums of integers
struct StoreScores {
  View out;
  const float *scales, *shifts;
  Touched touches(index_t r, index_t c) const { return {{out, r, c}, {}}; }
  template <class Arch>
  auto column(index_t c) const {
    return [o = out, scale = load<Arch>(scales + c), shift = load<Arch>(shifts + c), c](
               index_t r, Floats<Arch> sum) KNNBERT_ALWAYS_INLINE_CALL {
      store_at<Arch>(o, r, c,
                     xsimd::fma(xsimd::batch_cast<float>(bits_as<Integers<Arch>>(sum)), scale, shift));
    };
  }
};

/// out = sum * factors[row] * scales[column], of sums of integers
struct StoreMeans {
  View out;
  const float *factors, *scales;
  Touched touches(index_t, index_t) const { return {}; }
  template <class Arch>
  auto column(index_t c) const {
    return [o = out, f = factors, scale = load<Arch>(scales + c), c](index_t r,
                                                                     Floats<Arch> sum) KNNBERT_ALWAYS_INLINE_CALL {
      store_at<Arch>(o, r, c,
                     xsimd::batch_cast<float>(bits_as<Integers<Arch>>(sum)) * (scale * Floats<Arch>(f[r])));
    };
  }
};

/// Numerators of rows of scores in steps of 1/255, a byte each, zeros to the end of the last vector; normalize [rows]
/// becomes 1 / the sum of these bytes.
template <class Arch>
KNNBERT_ALWAYS_INLINE void softmax_bytes(ConstView scores, const float* scales, View lanes_of_bytes, float* normalize) {
  using F = Floats<Arch>;
  for (index_t r = 0; r < scores.rows(); ++r) normalize[r] = largest_of<Arch>(scores.row(r).data(), scores.cols());
  for (index_t r = 0; r < scores.rows(); ++r)
    normalize[r] = softmax_numerators<Arch>(
        scores.row(r).data(), scores.cols(), scales[r], normalize[r],
        [](F x) {
          return xsimd::fma(coarse_exp2_of_negative<Arch>(x), F(255.0f), F(round_to_integer)) - F(round_to_integer);
        },
        [to = lanes_of_bytes.row(r).data()](index_t j, F q) { store_bytes<Arch>(to, j, q + F(round_to_integer)); });
}

}  // namespace detail

template <>
inline constexpr bool in_registers<detail::StoreScores> = true;
template <>
inline constexpr bool in_registers<detail::StoreMeans> = true;

/// context [L, E] = softmax(Q K^T * scale) V.  Scratch as for attention().
template <class Arch>
void attention_int8(const AttentionHeadInt8& head, View context, AttentionScratch& scratch) {
  constexpr index_t most_lanes = 32, zero = 128;
  const index_t length = head.query.rows(), width = 2 * head.query.cols(), deep = width / 4;
  KNNBERT_ASSERT(AttentionHeadInt8::possible(width));
  scratch.reserve(length, width, false);
  const View keys = scratch.transposed(deep, length),
             meanings = scratch.transposed(deep + 2, length).row_range(deep, 2);
  float *scales = meanings.row(0).data(), *shifts = meanings.row(1).data();
  const View bytes(scratch.rows(1, length).data(), length, deep, deep);  // where scores will lie
  for (index_t r = 0; r < length; ++r)
    scales[r] = detail::quantize_row<Arch, 0>(head.key.row(r).data(), width, bytes.row(r).data());
  transpose<Arch>(bytes, keys);
  const Floats<Arch> zeros = bits_as<Floats<Arch>>(Integers<Arch>(static_cast<std::int32_t>(0x80808080u)));
  for (index_t c = 0; c < length; c += lanes<Arch>) {  // what the queries' zero adds to scores
    Integers<Arch> sums(0);
    for (index_t k = 0; k < deep; ++k) sums = Int8::step<Arch>(sums, zeros, load_at<Arch>(keys, k, c));
    store<Arch>(shifts + c, -xsimd::batch_cast<float>(sums) * load<Arch>(scales + c));
  }
  for_each_row_tile<Arch>(0, length, [&](index_t row, index_t height) {
    const View p = scratch.rows(height, length), p_bytes = scratch.lanes(height, (length + 3) / 4);
    alignas(64) float query[tile_rows<Arch> * most_lanes];
    float row_scales[tile_rows<Arch>], normalize[tile_rows<Arch>];
    for (index_t r = 0; r < height; ++r)
      row_scales[r] =
          head.scale * detail::quantize_row<Arch, zero>(head.query.row(row + r).data(), width, query + r * most_lanes);
    detail::tile_row<Arch, Int8>(height, {query, most_lanes, 1}, keys, deep, 0, detail::StoreScores{p, scales, shifts});
    detail::softmax_bytes<Arch>(p, row_scales, p_bytes, normalize);
    detail::tile_row<Arch, Int8>(height, {p_bytes.data(), p_bytes.stride(), 1}, head.value, p_bytes.cols(), 0,
                                 detail::StoreMeans{context.row_range(row, height), normalize, head.value_scales});
  });
}
struct AttentionInt8 : Entry<void(const AttentionHeadInt8&, View, AttentionScratch&)> {
  template <class Arch>
  static constexpr type* function = attention_int8<Arch>;
};
template <>
inline void attention_int8<Dispatched>(const AttentionHeadInt8& head, View context, AttentionScratch& scratch) {
  dispatch<AttentionInt8>(head, context, scratch);
}

/// Texts of at least this length attend in int8 if their products run in int8; none where bf16 has matrix registers.
/// Worth 2 % of the time at 128 tokens, 5 at 200 and 10 at 512.
template <class Arch>
index_t shortest_for_int8_attention() {
  return Int8::native && !Bf16::matrix ? 80 : std::numeric_limits<index_t>::max();
}
struct ShortestForInt8Attention : Entry<index_t()> {
  template <class Arch>
  static constexpr type* function = shortest_for_int8_attention<Arch>;
};
template <>
inline index_t shortest_for_int8_attention<Dispatched>() {
  return dispatch<ShortestForInt8Attention>();
}

}  // namespace knnbert::inline v0_1::kernel
