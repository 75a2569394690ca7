#pragma once
#include <utility>

#include "knnbert/core/matrix.hpp"
#include "knnbert/kernel/epilogue.hpp"
#include "knnbert/kernel/lower_row.hpp"
#include "knnbert/kernel/precision.hpp"

/// Activations from floats to the lanes of a reduced precision and back; lower_panels.hpp has the weights.
namespace knnbert::inline v0_1::kernel {

template <Precision P>
struct LowerRows;

/// Rows x [M, K] in a reduced precision, to [M, lanes of K], and what they mean: meanings [M] (int8 only).
template <class Arch, class Dot>
void lower_rows(ConstView x, View to, Int8Row* meanings) {
  if constexpr (std::is_same_v<Arch, Dispatched>) return dispatch<LowerRows<Dot::precision>>(x, to, meanings);
  else
    for (index_t r = 0; r < x.rows(); ++r) {
      detail::Range<Arch> range;
      if constexpr (Dot::precision == Precision::int8)
        range = detail::range_of<Arch>(x.data() + r * x.stride(), x.cols());
      detail::lower_row<Arch, Dot>(x, r, to, meanings, range);
    }
}
template <Precision P>
struct LowerRows : Entry<void(ConstView, View, Int8Row*)> {
  template <class Arch>
  static constexpr auto* function = &lower_rows<Arch, ProductsIn<P>>;
};

/// A left factor in reduced precision.
struct LoweredFactor {
  ConstView lanes;                    // [M, lanes of K]
  const Int8Row* meanings = nullptr;  // [M], int8 only
  LoweredFactor row_range(index_t first, index_t count) const {
    return {lanes.row_range(first, count), meanings ? meanings + first : nullptr};
  }
};

/// Rows of numbers in reduced precision. Scratch of one worker; grows only.
class LoweredRows {
 public:
  template <class Arch, class Dot>
  void assign(ConstView x) {
    resize<Dot>(x);
    assign_rows<Arch, Dot>(x, 0, x.rows());
  }
  /// In two steps, so that threads can divide the rows [first, first + count).
  template <class Dot>
  void resize(ConstView x) {
    rows_.resize(x.rows(), lanes_of<Dot>(x.cols()));
    if constexpr (Dot::precision == Precision::int8) meanings_.reserve(x.rows());
  }
  template <class Arch, class Dot>
  void assign_rows(ConstView x, index_t first, index_t count) {
    lower_rows<Arch, Dot>(x.row_range(first, count), lanes().row_range(first, count),
                          Dot::precision == Precision::int8 ? meanings() + first : nullptr);
  }
  LoweredFactor factor() const { return {rows_, meanings_.data()}; }
  ConstView lanes() const { return rows_; }
  View lanes() { return rows_; }
  const Int8Row* meanings() const { return meanings_.data(); }
  Int8Row* meanings() { return meanings_.data(); }

 private:
  Matrix rows_;
  AlignedBuffer<Int8Row> meanings_;
};

/// Two rows of bf16 a lane, for sums over rows: to(m, c) = from(2m, c) | from(2m + 1, c) << 16, pairs [first, last); an
/// odd last row is paired with zeros.  from [M, N], to [(M + 1) / 2, N]
template <class Arch, class Dot = Bf16>
void pair_rows(ConstView from, index_t first, index_t last, View to) {
  using F = Floats<Arch>;
  for (index_t m = first; m < last; ++m)
    for (index_t c = 0; c < from.cols(); c += lanes<Arch>) {
      const F even = load_at<Arch>(from, 2 * m, c),
              odd = 2 * m + 1 < from.rows() ? load_at<Arch>(from, 2 * m + 1, c) : F(0.0f);
#if defined(__AVX512BF16__)
      if constexpr (Dot::native && lanes<Arch> == 16) {
        detail::store_pairs(to.data() + m * to.stride() + c, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(odd, even)));
        continue;
      }
#endif
      const auto low = detail::round_to_bf16<Arch>(even), high = detail::round_to_bf16<Arch>(odd);
      store_at<Arch>(to, m, c, bits_as<F>(high | ((low >> 16) & Integers<Arch>(0xffff))));
    }
}

/// The same of rows that are bf16 already.  from [M, lanes of N], to [(M + 1) / 2, N]
template <class Arch, class Dot = Bf16>
void pair_lowered_rows(ConstView from, View to) {
  for (index_t m = 0; m < to.rows(); ++m) {
    const bool both = 2 * m + 1 < from.rows();
    const auto* even = reinterpret_cast<const unsigned char*>(from.data() + 2 * m * from.stride());
    const auto* odd = reinterpret_cast<const unsigned char*>(from.data() + (2 * m + both) * from.stride());
    index_t c = 0;
#if defined(__AVX512BF16__)
    if constexpr (Dot::native && lanes<Arch> == 16)
      for (; c + 16 <= to.cols(); c += 16) {
        const auto low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(even + 2 * c));
        const auto high =
            both ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(odd + 2 * c)) : _mm256_setzero_si256();
        detail::store_pairs(to.data() + m * to.stride() + c, _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1));
      }
#endif
    auto* out = reinterpret_cast<unsigned char*>(to.data() + m * to.stride());
    for (; c < to.cols(); ++c) {
      std::memcpy(out + 4 * c, even + 2 * c, 2);
      if (both) std::memcpy(out + 4 * c + 2, odd + 2 * c, 2);
      else std::memset(out + 4 * c + 2, 0, 2);
    }
  }
}

/// out = bf16(Activation(sum + bias)), two neighboring columns a lane: out [M, lanes of N]
template <class Activation>
struct ActivateLowered {
  View out;
  const float* bias;
  Touched touches(index_t r, index_t c) const { return {{out, r, c / 2}, {}}; }
  template <class Arch>
  auto column(index_t c) const {
    return [o = out, b = load<Arch>(bias + c), c](index_t r, Floats<Arch> sum) KNNBERT_ALWAYS_INLINE_CALL {
      detail::store_bf16<Arch>(o.data() + r * o.stride() + c / 2, Activation::template value<Arch>(sum + b));
    };
  }
};
template <class Activation>
inline constexpr bool in_registers<ActivateLowered<Activation>> = true;

struct PairRows : Entry<void(ConstView, index_t, index_t, View)> {
  template <class Arch>
  static constexpr type* function = pair_rows<Arch>;
};
template <>
inline void pair_rows<Dispatched, Bf16>(ConstView from, index_t first, index_t last, View to) {
  dispatch<PairRows>(from, first, last, to);
}
struct PairLoweredRows : Entry<void(ConstView, View)> {
  template <class Arch>
  static constexpr type* function = pair_lowered_rows<Arch>;
};
template <>
inline void pair_lowered_rows<Dispatched, Bf16>(ConstView from, View to) {
  dispatch<PairLoweredRows>(from, to);
}

/// epilogue((sum - zero * sum of w) * row scale * weight scale): what an int8 product means.
template <class Epilogue>
struct Dequantize {
  const Epilogue& epilogue;
  const Int8Row* rows;
  const float *scales, *sums;
  Touched touches(index_t r, index_t c) const { return epilogue.touches(r, c); }
  template <class Arch>
  auto column(index_t c) const {
    return [row = rows, scale = load<Arch>(scales + c), of_weights = load<Arch>(sums + c),
            put = epilogue.template column<Arch>(c)](index_t r, Floats<Arch> lanes_of_sum) KNNBERT_ALWAYS_INLINE_CALL {
      const auto sum = xsimd::batch_cast<float>(bits_as<Integers<Arch>>(lanes_of_sum));
      const auto centered = xsimd::fnma(Floats<Arch>(row[r].zero), of_weights, sum);
      put(r, centered * (scale * Floats<Arch>(row[r].scale)));
    };
  }
};
template <class Epilogue>
inline constexpr bool in_registers<Dequantize<Epilogue>> = in_registers<Epilogue>;

}  // namespace knnbert::inline v0_1::kernel
