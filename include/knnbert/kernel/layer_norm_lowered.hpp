#pragma once
#include "knnbert/kernel/layer_norm.hpp"
#include "knnbert/kernel/lower.hpp"

namespace knnbert::inline v0_1::kernel {

template <Precision P>
struct LayerNormLowered;

/// layer_norm, and its rows in a reduced precision while they lie in the first-level cache.
/// x, y [R, H]; to [R, lanes of H]; meanings [R] (int8 only)
template <class Arch, class Dot>
void layer_norm_lowered(ConstView x, const float* gain, const float* bias, float epsilon, View y, View to,
                        Int8Row* meanings) {
  if constexpr (std::is_same_v<Arch, Dispatched>)
    return dispatch<LayerNormLowered<Dot::precision>>(x, gain, bias, epsilon, y, to, meanings);
  else
    for (index_t r = 0; r < x.rows(); ++r) {
      detail::Range<Arch> range;
      detail::layer_norm_row<Arch>(x.data() + r * x.stride(), x.cols(), gain, bias, epsilon,
                                   [&](index_t c, Floats<Arch> v) KNNBERT_ALWAYS_INLINE_CALL {
                                     store_at<Arch>(y, r, c, v);
                                     if constexpr (Dot::precision == Precision::int8) {
                                       if (c + lanes<Arch> <= x.cols()) range.add(v);
                                       else range.add_first(v, x.cols() - c);
                                     }
                                   });
      detail::lower_row<Arch, Dot>(y, r, to, meanings, range);
    }
}
template <Precision P>
struct LayerNormLowered : Entry<void(ConstView, const float*, const float*, float, View, View, Int8Row*)> {
  template <class Arch>
  static constexpr auto* function = &layer_norm_lowered<Arch, ProductsIn<P>>;
};

}  // namespace knnbert::inline v0_1::kernel
