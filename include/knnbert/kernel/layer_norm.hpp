#pragma once
#include <cmath>

#include "knnbert/kernel/epilogue.hpp"

namespace knnbert::inline v0_1::kernel {

namespace detail {

/// Sums f(column) over all columns; lanes past the last column count as 0. Four sums in turn: one would wait for its
/// own addition (a quarter of layer_norm's time).
template <class Arch, class F>
KNNBERT_ALWAYS_INLINE float sum_columns(index_t cols, F&& f) {
  using V = Floats<Arch>;
  constexpr index_t step = lanes<Arch>;
  V a(0.0f), b(0.0f), c(0.0f), d(0.0f);
  index_t j = 0;
  for (; j + 4 * step <= cols; j += 4 * step)
    a = a + f(j), b = b + f(j + step), c = c + f(j + 2 * step), d = d + f(j + 3 * step);
  for (; j + step <= cols; j += step) a = a + f(j);
  if (j < cols) b = b + first_lanes<Arch>(f(j), cols - j, V(0.0f));
  return sum<Arch>((a + b) + (c + d));
}

struct RowStatistics {
  float mean, scale;  // 1 / deviation
};

/// put(column, y) for whole vectors of the normalized row.
template <class Arch, class Put>
KNNBERT_ALWAYS_INLINE RowStatistics layer_norm_row(const float* in, index_t width, const float* gain, const float* bias,
                                                   float epsilon, Put&& put) {
  using F = Floats<Arch>;
  const float mean =
      sum_columns<Arch>(width, [&](index_t c) { return load<Arch>(in + c); }) / static_cast<float>(width);
  const float squares = sum_columns<Arch>(width, [&](index_t c) {
    const F d = load<Arch>(in + c) - F(mean);
    return d * d;
  });
  const float scale = 1.0f / std::sqrt(squares / static_cast<float>(width) + epsilon);
  for (index_t c = 0; c < width; c += lanes<Arch>)
    put(c, xsimd::fma((load<Arch>(in + c) - F(mean)) * F(scale), load<Arch>(gain + c), load<Arch>(bias + c)));
  return {mean, scale};
}

}  // namespace detail

/// y = (x - mean) / sqrt(variance + epsilon) * gain + bias, row by row.  Ba, Kiros, Hinton 2016.
/// x, y [R, H]; statistics [R, 2] receives mean and 1 / deviation for the backward pass.
template <class Arch>
void layer_norm(ConstView x, const float* gain, const float* bias, float epsilon, View y, View statistics) {
  for (index_t r = 0; r < x.rows(); ++r) {
    const auto row = detail::layer_norm_row<Arch>(x.data() + r * x.stride(), x.cols(), gain, bias, epsilon,
                                                  [&](index_t c, Floats<Arch> v)
                                                      KNNBERT_ALWAYS_INLINE_CALL { store_at<Arch>(y, r, c, v); });
    statistics(r, 0) = row.mean;
    statistics(r, 1) = row.scale;
  }
}

/// d_x = scale * (u - mean(u) - x^ * mean(u x^)) with u = d_y * gain, x^ the normalized row; d_x may be d_y.
template <class Arch>
void layer_norm_backward(ConstView x, ConstView statistics, const float* gain, ConstView d_y, View d_x) {
  using F = Floats<Arch>;
  const index_t width = x.cols();
  for (index_t r = 0; r < x.rows(); ++r) {
    const F mean(statistics(r, 0)), scale(statistics(r, 1));
    const auto normalized = [&](index_t c) { return (load_at<Arch>(x, r, c) - mean) * scale; };
    const auto weighted = [&](index_t c) { return load_at<Arch>(d_y, r, c) * load<Arch>(gain + c); };
    const F first(detail::sum_columns<Arch>(width, weighted) / static_cast<float>(width));
    const F second(detail::sum_columns<Arch>(width, [&](index_t c) { return weighted(c) * normalized(c); }) /
                   static_cast<float>(width));
    for (index_t c = 0; c < width; c += lanes<Arch>)
      store_at<Arch>(d_x, r, c, (weighted(c) - first - normalized(c) * second) * scale);
  }
}

/// Adds the gradients of gain and bias over all rows in order, columns [first, last): threads divide columns, never
/// rows.
template <class Arch>
void add_layer_norm_gradient(ConstView x, ConstView statistics, ConstView d_y, float* d_gain, float* d_bias,
                             index_t first, index_t last) {
  for (index_t r = 0; r < x.rows(); ++r) {
    const float mean = statistics(r, 0), scale = statistics(r, 1);
    const float *in = x.data() + r * x.stride(), *d = d_y.data() + r * d_y.stride();
    for (index_t c = first; c < last; ++c) {
      d_gain[c] += d[c] * ((in[c] - mean) * scale);
      d_bias[c] += d[c];
    }
  }
}

struct LayerNorm : Entry<void(ConstView, const float*, const float*, float, View, View)> {
  template <class Arch>
  static constexpr type* function = layer_norm<Arch>;
};
template <>
inline void layer_norm<Dispatched>(ConstView x, const float* gain, const float* bias, float epsilon, View y,
                                   View statistics) {
  dispatch<LayerNorm>(x, gain, bias, epsilon, y, statistics);
}
struct LayerNormBackward : Entry<void(ConstView, ConstView, const float*, ConstView, View)> {
  template <class Arch>
  static constexpr type* function = layer_norm_backward<Arch>;
};
template <>
inline void layer_norm_backward<Dispatched>(ConstView x, ConstView statistics, const float* gain, ConstView d_y,
                                            View d_x) {
  dispatch<LayerNormBackward>(x, statistics, gain, d_y, d_x);
}
struct AddLayerNormGradient : Entry<void(ConstView, ConstView, ConstView, float*, float*, index_t, index_t)> {
  template <class Arch>
  static constexpr type* function = add_layer_norm_gradient<Arch>;
};
template <>
inline void add_layer_norm_gradient<Dispatched>(ConstView x, ConstView statistics, ConstView d_y, float* d_gain,
                                                float* d_bias, index_t first, index_t last) {
  dispatch<AddLayerNormGradient>(x, statistics, d_y, d_gain, d_bias, first, last);
}

}  // namespace knnbert::inline v0_1::kernel
