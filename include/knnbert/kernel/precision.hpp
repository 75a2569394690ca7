#pragma once
#if defined(__AVX__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>  // the other one has every instruction set: half a second and 90 MB of compiling
#endif
#include <type_traits>

#include "knnbert/core/precision.hpp"
#include "knnbert/kernel/arch.hpp"

/// Products in reduced precision. A product's reduction runs over 32-bit lanes, whatever they hold: one float, two bf16
/// or four int8. So one tile, one panel layout and one set of strides serve all three; only the step differs.
namespace knnbert::inline v0_1::kernel {

/// With which instructions a reduced precision multiplies: with floats and integers, with dot products of vector
/// registers, or with matrix registers where a product's shape allows.
enum class Instructions { plain, dot, matrix };

/// Those of this translation unit; with knnbert::dispatch any unit names plain ones, whatever its flags, as the library
/// does. Dot products are assembly below, because GCC 12 copies the register of the sum around the intrinsics (a third
/// of the speed). They are part of the policies' names: units with other flags instantiate other functions.
#if defined(__AMX_BF16__) && defined(__AVX512BF16__) && !defined(KNNBERT_DISPATCH)
inline constexpr Instructions bf16_instructions = Instructions::matrix;
#elif defined(__AVX512BF16__) && !defined(KNNBERT_DISPATCH)
inline constexpr Instructions bf16_instructions = Instructions::dot;
#else
inline constexpr Instructions bf16_instructions = Instructions::plain;
#endif
#if defined(__AMX_INT8__) && defined(__AVX512VNNI__) && !defined(KNNBERT_DISPATCH)
inline constexpr Instructions int8_instructions = Instructions::matrix;
#elif defined(__AVX512VNNI__) && !defined(KNNBERT_DISPATCH)
inline constexpr Instructions int8_instructions = Instructions::dot;
#else
inline constexpr Instructions int8_instructions = Instructions::plain;
#endif

/// sum += a * b
struct Fp32 {
  static constexpr Precision precision = Precision::fp32;
  static constexpr bool matrix = false;
  static constexpr index_t lane_elements = 1;
  template <class Arch>
  using sums = Floats<Arch>;
  template <class Arch>
  static KNNBERT_ALWAYS_INLINE Floats<Arch> step(Floats<Arch> sum, Floats<Arch> a, Floats<Arch> b) {
    return xsimd::fma(a, b, sum);
  }
};

/// sum += a.low * b.low + a.high * b.high, bf16 in the halves of a lane. Without the instruction the halves become
/// floats.
template <Instructions With>
struct BasicBf16 {
  static constexpr Precision precision = Precision::bf16;
  static constexpr bool native = With != Instructions::plain, matrix = With == Instructions::matrix;
  static constexpr index_t lane_elements = 2;
  template <class Arch>
  using sums = Floats<Arch>;
  template <class Arch>
  static KNNBERT_ALWAYS_INLINE Floats<Arch> step(Floats<Arch> sum, Floats<Arch> a, Floats<Arch> b) {
#if defined(__AVX512BF16__)
    if constexpr (native && lanes<Arch> == 16) {
      __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum.data) : "v"(a.data), "v"(b.data));
      return sum;
    }
#endif
    return xsimd::fma(high<Arch>(a), high<Arch>(b), xsimd::fma(low<Arch>(a), low<Arch>(b), sum));
  }

 private:
  template <class Arch>
  static KNNBERT_ALWAYS_INLINE Floats<Arch> low(Floats<Arch> v) {
    return bits_as<Floats<Arch>>(bits_as<Integers<Arch>>(v) << 16);
  }
  template <class Arch>
  static KNNBERT_ALWAYS_INLINE Floats<Arch> high(Floats<Arch> v) {
    return bits_as<Floats<Arch>>(bits_as<Integers<Arch>>(v) &
                                             Integers<Arch>(static_cast<std::int32_t>(0xffff0000u)));
  }
};
using Bf16 = BasicBf16<bf16_instructions>;

/// sum += sum over four bytes of a.unsigned * b.signed: exact, with and without the instruction.
template <Instructions With>
struct BasicInt8 {
  static constexpr Precision precision = Precision::int8;
  static constexpr bool native = With != Instructions::plain, matrix = With == Instructions::matrix;
  static constexpr index_t lane_elements = 4;
  template <class Arch>
  using sums = Integers<Arch>;
  template <class Arch>
  static KNNBERT_ALWAYS_INLINE Integers<Arch> step(Integers<Arch> sum, Floats<Arch> a, Floats<Arch> b) {
#if defined(__AVX512VNNI__)
    if constexpr (native && lanes<Arch> == 16) {
      __asm__("vpdpbusd %2, %1, %0" : "+v"(sum.data) : "v"(a.data), "v"(b.data));
      return sum;
    }
#endif
#if defined(__AVX2__)
    if constexpr (lanes<Arch> == 8) {  // bytes widened to 16 bits, even and odd ones apart: no sum can saturate
      const __m256i x = _mm256_castps_si256(a), y = _mm256_castps_si256(b), bytes = _mm256_set1_epi16(0xff);
      const __m256i even = _mm256_madd_epi16(_mm256_and_si256(x, bytes), _mm256_srai_epi16(_mm256_slli_epi16(y, 8), 8));
      const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(x, 8), _mm256_srai_epi16(y, 8));
      return Integers<Arch>(_mm256_add_epi32(sum, _mm256_add_epi32(even, odd)));
    }
#endif
#if defined(__SSE2__)
    if constexpr (lanes<Arch> == 4) {
      const __m128i x = _mm_castps_si128(a), y = _mm_castps_si128(b), bytes = _mm_set1_epi16(0xff);
      const __m128i even = _mm_madd_epi16(_mm_and_si128(x, bytes), _mm_srai_epi16(_mm_slli_epi16(y, 8), 8));
      const __m128i odd = _mm_madd_epi16(_mm_srli_epi16(x, 8), _mm_srai_epi16(y, 8));
      return Integers<Arch>(_mm_add_epi32(sum, _mm_add_epi32(even, odd)));
    }
#endif
    const auto x = bits_as<Integers<Arch>>(a), y = bits_as<Integers<Arch>>(b);
    const Integers<Arch> byte(0xff);
    sum = sum + (x & byte) * ((y << 24) >> 24);
    sum = sum + ((x >> 8) & byte) * ((y << 16) >> 24);
    sum = sum + ((x >> 16) & byte) * ((y << 8) >> 24);
    return sum + ((x >> 24) & byte) * (y >> 24);
  }
};
using Int8 = BasicInt8<int8_instructions>;

/// Whether products in bf16 are faster than in fp32, so that attention should use them.
template <class Arch>
bool native_bf16() {
  return Bf16::native;
}
struct NativeBf16 : Entry<bool()> {
  template <class Arch>
  static constexpr type* function = native_bf16<Arch>;
};
template <>
inline bool native_bf16<Dispatched>() {
  return dispatch<NativeBf16>();
}

/// The products of a precision with the instructions of this translation unit.
template <Precision P>
using ProductsIn = std::conditional_t<P == Precision::fp32, Fp32, std::conditional_t<P == Precision::bf16, Bf16, Int8>>;

}  // namespace knnbert::inline v0_1::kernel

namespace knnbert::inline v0_1 {

/// Which precisions an encoder is compiled for: `with` calls f with the products' policy for one of them. The more, the
/// longer compilation takes.
template <class... Dots>
struct Precisions {
  static constexpr bool include(Precision p) { return ((Dots::precision == p) || ...); }
  template <class F>
  static KNNBERT_ALWAYS_INLINE void with(Precision p, F&& f) {
    if constexpr (sizeof...(Dots) == 1) return f(Dots{}...);
    (void)((Dots::precision == p && (f(Dots{}), true)) || ...);
  }
};
using OnlyFp32 = Precisions<kernel::Fp32>;
using AnyPrecision = Precisions<kernel::Fp32, kernel::Bf16, kernel::Int8>;

}  // namespace knnbert::inline v0_1
