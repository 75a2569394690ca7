#pragma once
#if defined(__AVX__)
#include <immintrin.h>
#endif
#include <algorithm>
#include <type_traits>

#include "knnbert/core/matrix.hpp"
#include "knnbert/kernel/arch.hpp"

namespace knnbert::inline v0_1::kernel {

#if defined(__AVX__)
/// An 8 x 8 transpose in registers: to[j * to_stride + i] = from[i * from_stride + j].
KNNBERT_ALWAYS_INLINE void transpose_8x8(const float* from, index_t from_stride, float* to, index_t to_stride) {
  __m256 r[8], t[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) r[i] = _mm256_loadu_ps(from + i * from_stride);
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xEE);
    r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    _mm256_storeu_ps(to + i * to_stride, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
    _mm256_storeu_ps(to + (i + 4) * to_stride, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
  }
}
#endif

#if defined(__AVX512F__)
/// The same of 16 x 16, half the instructions an element; of fewer rows, i < rows, where they are not Whole: the last
/// one is read in place of those behind it, and nothing is written for them.
template <bool Whole>
KNNBERT_ALWAYS_INLINE void transpose_16x16(const float* from, index_t from_stride, float* to, index_t to_stride,
                                           index_t rows = 16) {
  __m512 r[16], t[16];
#pragma GCC unroll 16
  for (index_t i = 0; i < 16; ++i) r[i] = _mm512_loadu_ps(from + (Whole ? i : std::min(i, rows - 1)) * from_stride);
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xEE);
    r[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {  // 128-bit quarters: columns i, i + 4, i + 8, i + 12 of four rows each
    t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xDD);
    t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xDD);
  }
  const auto put = [&](int row, __m512 v) {
    if constexpr (Whole) _mm512_storeu_ps(to + row * to_stride, v);
    else _mm512_mask_storeu_ps(to + row * to_stride, static_cast<__mmask16>((1u << rows) - 1), v);
  };
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    put(i, _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88));
    put(i + 8, _mm512_shuffle_f32x4(t[i], t[i + 8], 0xDD));
    put(i + 4, _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88));
    put(i + 12, _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xDD));
  }
}
#endif

/// to [C, R] = transpose of from [R, C]. xsimd has no transpose in the oldest supported version, hence the intrinsics.
template <class Arch>
void transpose(ConstView from, View to) {
  index_t r = 0;
#if defined(__AVX512F__)
  if constexpr (lanes<Arch> == 16) {
    if (from.cols() % 16 == 0) {
      const auto block = [&](auto whole, index_t c) {
        transpose_16x16<whole>(from.data() + r * from.stride() + c, from.stride(), to.data() + c * to.stride() + r,
                               to.stride(), from.rows() - r);
      };
      for (; r + 16 <= from.rows(); r += 16)
        for (index_t c = 0; c < from.cols(); c += 16) block(std::true_type(), c);
      for (index_t c = 0; r < from.rows() && c < from.cols(); c += 16) block(std::false_type(), c);
      return;
    }
  }
#endif
#if defined(__AVX__)
  if constexpr (lanes<Arch> >= 8) {
    for (; r + 8 <= from.rows(); r += 8) {
      index_t c = 0;
      for (; c + 8 <= from.cols(); c += 8)
        transpose_8x8(from.data() + r * from.stride() + c, from.stride(), to.data() + c * to.stride() + r, to.stride());
      for (; c < from.cols(); ++c)
        for (index_t i = r; i < r + 8; ++i) to.data()[c * to.stride() + i] = from.data()[i * from.stride() + c];
    }
  }
#endif
  for (; r < from.rows(); ++r)
    for (index_t c = 0; c < from.cols(); ++c) to.data()[c * to.stride() + r] = from.data()[r * from.stride() + c];
}

/// Panels of w [N, K] -> panels of its transpose [K, N]: transposed[K / 16][N][16], by blocks of 16 x 16 that are
/// contiguous on both sides. Output panels [first, last) only, so that threads can divide the work.
template <class Arch>
void transpose_panels(const float* panels, index_t rows, index_t cols, float* transposed, index_t first, index_t last) {
  for (index_t panel = first; panel < last; ++panel) {
    const index_t k = panel * panel_width, depth = std::min(panel_width, cols - k);
    for (index_t n = 0; n < rows; n += panel_width) {
      const index_t height = std::min(panel_width, rows - n);
      float* to = transposed + (panel * rows + n) * panel_width;
      if (depth < panel_width) std::fill_n(to, height * panel_width, 0.0f);
      transpose<Arch>(ConstView(panels + (n / panel_width * cols + k) * panel_width, depth, height, panel_width),
                      View(to, height, depth, panel_width));
    }
  }
}

struct TransposePanels : Entry<void(const float*, index_t, index_t, float*, index_t, index_t)> {
  template <class Arch>
  static constexpr type* function = transpose_panels<Arch>;
};
template <>
inline void transpose_panels<Dispatched>(const float* panels, index_t rows, index_t cols, float* transposed,
                                         index_t first, index_t last) {
  dispatch<TransposePanels>(panels, rows, cols, transposed, first, last);
}

}  // namespace knnbert::inline v0_1::kernel
