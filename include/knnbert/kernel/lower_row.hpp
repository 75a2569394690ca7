#pragma once
#include <cmath>
#include <cstring>

#include "knnbert/core/view.hpp"
#include "knnbert/kernel/arch.hpp"
#include "knnbert/kernel/precision.hpp"

/// One row of activations from floats to the lanes of a reduced precision.
namespace knnbert::inline v0_1::kernel {

template <class Dot>
constexpr index_t lanes_of(index_t elements) {
  return (elements + Dot::lane_elements - 1) / Dot::lane_elements;
}

/// What an int8 row means: x = scale * (q - zero), 0 <= q <= 255. Zero is a value of its own, so that rows of one sign,
/// such as a GELU's, use the whole range.
struct Int8Row {
  float scale, zero;
};

namespace detail {

/// Bits of the nearest bf16 in the upper half of each lane, ties to even; NaN stays NaN.
template <class Arch>
KNNBERT_ALWAYS_INLINE Integers<Arch> round_to_bf16(Floats<Arch> v) {
  const auto bits = bits_as<Integers<Arch>>(v);
  const auto rounded = bits + Integers<Arch>(0x7fff) + ((bits >> 16) & Integers<Arch>(1));
  // infinities and NaN have the largest exponent and keep their bits
  const Integers<Arch> magnitude = bits & Integers<Arch>(0x7fffffff);
  return where_less<Arch>(magnitude, Integers<Arch>(0x7f800000), rounded, bits) &
         Integers<Arch>(static_cast<std::int32_t>(0xffff0000u));
}

inline std::uint16_t bf16_bits(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, 4);
  if ((bits & 0x7f800000u) != 0x7f800000u) bits += 0x7fffu + ((bits >> 16) & 1u);
  return static_cast<std::uint16_t>(bits >> 16);
}

/// to [K] = bf16 of from [K]; the lane behind the last element is completed with 0
template <class Arch, bool Native>
KNNBERT_ALWAYS_INLINE void bf16_row(const float* from, index_t size, float* to) {
  auto* out = reinterpret_cast<unsigned char*>(to);
  index_t c = 0;
#if defined(__AVX512BF16__)
  if constexpr (Native && lanes<Arch> == 16) {
    for (; c + 32 <= size; c += 32)
      _mm512_storeu_si512(out + 2 * c, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + c + 16),
                                                                                     _mm512_loadu_ps(from + c))));
    if (c == size) return;
    const std::uint32_t rest = (std::uint32_t{1} << (size - c)) - 1;  // of up to 31 elements
    const auto low = _mm512_maskz_loadu_ps(static_cast<__mmask16>(rest), from + c),
               high = _mm512_maskz_loadu_ps(static_cast<__mmask16>(rest >> 16), from + c + 16);
    _mm512_mask_storeu_epi16(out + 2 * c, rest | rest << size % 2,
                             reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
    return;
  }
#endif
  for (; c < size; ++c) {
    const std::uint16_t bits = bf16_bits(from[c]);
    std::memcpy(out + 2 * c, &bits, 2);
  }
  if (size % 2) std::memset(out + 2 * size, 0, 2);
}

/// A vector of bf16, at half its size.
template <class Arch>
KNNBERT_ALWAYS_INLINE void store_bf16(float* to, Floats<Arch> v) {
#if defined(__AVX512BF16__)
  if constexpr (Bf16::native && lanes<Arch> == 16) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v)));
    return;
  }
#endif
  alignas(64) float all[lanes<Arch>];
  store<Arch>(all, v);
  bf16_row<Arch, false>(all, lanes<Arch>, to);
}

#if defined(__AVX512BF16__)
/// Words 0 to 15 as the lower halves of 16 lanes, words 16 to 31 as the upper ones.
KNNBERT_ALWAYS_INLINE void store_pairs(float* to, __m512i words) {
  const __m512i numbers =
      _mm512_set_epi32(0x001f000f, 0x001e000e, 0x001d000d, 0x001c000c, 0x001b000b, 0x001a000a, 0x00190009, 0x00180008,
                       0x00170007, 0x00160006, 0x00150005, 0x00140004, 0x00130003, 0x00120002, 0x00110001, 0x00100000);
  _mm512_storeu_si512(to, _mm512_permutexvar_epi16(numbers, words));
}
#endif

/// Smallest and largest of the elements added and 0.
template <class Arch>
class Range {
 public:
  KNNBERT_ALWAYS_INLINE void add(Floats<Arch> v) {
    low_ = xsimd::min(low_, v);
    high_ = xsimd::max(high_, v);
  }
  KNNBERT_ALWAYS_INLINE void add_first(Floats<Arch> v, index_t count) {
    add(first_lanes<Arch>(v, count, Floats<Arch>(0.0f)));
  }
  KNNBERT_ALWAYS_INLINE float least() const { return -largest<Arch>(-low_); }
  KNNBERT_ALWAYS_INLINE float most() const { return largest<Arch>(high_); }

 private:
  Floats<Arch> low_ = Floats<Arch>(0.0f), high_ = Floats<Arch>(0.0f);
};

template <class Arch>
KNNBERT_ALWAYS_INLINE Range<Arch> range_of(const float* x, index_t size) {
  Range<Arch> range;
  index_t c = 0;
  for (; c + lanes<Arch> <= size; c += lanes<Arch>) range.add(load<Arch>(x + c));
  if (c < size) range.add_first(load<Arch>(x + c), size - c);
  return range;
}

/// to [K] = q, rounded to nearest, ties to even
template <class Arch>
KNNBERT_ALWAYS_INLINE Int8Row int8_row(const float* from, index_t size, const Range<Arch>& range, float* to) {
  auto* out = reinterpret_cast<unsigned char*>(to);
  const float least = range.least(), most = range.most();
  const float factor = most > least ? 255.0f / (most - least) : 0.0f;
  const auto zero = static_cast<std::int32_t>(std::nearbyint(-least * factor));
  index_t c = 0;
#if defined(__AVX512F__)
  if constexpr (lanes<Arch> == 16)
    for (; c + 16 <= size; c += 16) {
      const auto q = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(from + c), _mm512_set1_ps(factor)));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + c),
                       _mm512_cvtusepi32_epi8(_mm512_add_epi32(q, _mm512_set1_epi32(zero))));
    }
#endif
  for (; c < size; ++c)
    out[c] = static_cast<unsigned char>(std::min(255, zero + static_cast<int>(std::nearbyint(from[c] * factor))));
  std::memset(out + size, 0, static_cast<std::size_t>(-size & 3));
  return {(most - least) / 255.0f, static_cast<float>(zero)};
}

/// Row r of x to row r of `to`, and what it means; range: of that row (int8 only).
template <class Arch, class Dot>
KNNBERT_ALWAYS_INLINE void lower_row(ConstView x, index_t r, View to, Int8Row* meanings, const Range<Arch>& range) {
  const float* from = x.data() + r * x.stride();
  float* lanes_of_row = to.data() + r * to.stride();
  if constexpr (Dot::precision == Precision::bf16) bf16_row<Arch, Dot::native>(from, x.cols(), lanes_of_row);
  if constexpr (Dot::precision == Precision::int8) meanings[r] = int8_row<Arch>(from, x.cols(), range, lanes_of_row);
}

}  // namespace detail

}  // namespace knnbert::inline v0_1::kernel
