#pragma once
#include <cmath>

#include "knnbert/kernel/arch.hpp"

/// Passes over flat arrays of parameters, gradients and moments.
namespace knnbert::inline v0_1::kernel {

/// Numbers of one AdamW step; rates and corrections are already multiplied out.
struct AdamWStep {
  float clip;  ///< factor of the gradient
  float one_minus_beta1, beta2, one_minus_beta2;
  float step_size;        ///< rate / (1 - beta1^t)
  float root_correction;  ///< 1 / sqrt(1 - beta2^t)
  float epsilon;
  float keep;  ///< 1 - rate * weight decay
};

/// g = clip times the gradient; m += (1 - beta1)(g - m); v = beta2 v + (1 - beta2) g^2;
/// p = keep p - step_size m / (sqrt(v) root_correction + epsilon).
template <class Arch>
void adamw_update(float* p, const float* g, float* m, float* v, index_t size, const AdamWStep& s) {
  using F = Floats<Arch>;
  index_t i = 0;
  for (; i + lanes<Arch> <= size; i += lanes<Arch>) {
    const F gradient = F(s.clip) * load<Arch>(g + i), old = load<Arch>(m + i);
    const F first = xsimd::fma(F(s.one_minus_beta1), gradient - old, old);
    const F second = xsimd::fma(F(s.one_minus_beta2) * gradient, gradient, F(s.beta2) * load<Arch>(v + i));
    const F denominator = xsimd::fma(xsimd::sqrt(second), F(s.root_correction), F(s.epsilon));
    store<Arch>(m + i, first);
    store<Arch>(v + i, second);
    store<Arch>(p + i, load<Arch>(p + i) * F(s.keep) - F(s.step_size) * first / denominator);
  }
  for (; i < size; ++i) {
    const float gradient = s.clip * g[i];
    m[i] += s.one_minus_beta1 * (gradient - m[i]);
    v[i] = s.beta2 * v[i] + s.one_minus_beta2 * gradient * gradient;
    p[i] = p[i] * s.keep - s.step_size * m[i] / (std::sqrt(v[i]) * s.root_correction + s.epsilon);
  }
}

/// v = momentum v + g; p = p - rate v.
template <class Arch>
void momentum_update(float* p, const float* g, float* v, index_t size, float momentum, float rate) {
  using F = Floats<Arch>;
  index_t i = 0;
  for (; i + lanes<Arch> <= size; i += lanes<Arch>) {
    const F velocity = xsimd::fma(F(momentum), load<Arch>(v + i), load<Arch>(g + i));
    store<Arch>(v + i, velocity);
    store<Arch>(p + i, load<Arch>(p + i) - F(rate) * velocity);
  }
  for (; i < size; ++i) {
    v[i] = momentum * v[i] + g[i];
    p[i] -= rate * v[i];
  }
}

/// x *= factor
template <class Arch>
void scale(float* x, index_t size, float factor) {
  index_t i = 0;
  for (; i + lanes<Arch> <= size; i += lanes<Arch>) store<Arch>(x + i, load<Arch>(x + i) * Floats<Arch>(factor));
  for (; i < size; ++i) x[i] *= factor;
}

/// Sum of squares, in double from one run of 256 elements to the next; a run whose squares overflow is summed in
/// double.
template <class Arch>
double sum_of_squares(const float* x, index_t size) {
  using F = Floats<Arch>;
  constexpr index_t run = 256;
  double total = 0;
  for (index_t first = 0; first < size; first += run) {
    const index_t last = first + run < size ? first + run : size;
    F lanes_sum(0.0f);
    index_t i = first;
    for (; i + lanes<Arch> <= last; i += lanes<Arch>)
      lanes_sum = xsimd::fma(load<Arch>(x + i), load<Arch>(x + i), lanes_sum);
    double part = sum<Arch>(lanes_sum);
    for (; i < last; ++i) part += static_cast<double>(x[i]) * x[i];
    if (!std::isfinite(part)) {
      part = 0;
      for (i = first; i < last; ++i) part += static_cast<double>(x[i]) * x[i];
    }
    total += part;
  }
  return total;
}

struct AdamWUpdate : Entry<void(float*, const float*, float*, float*, index_t, const AdamWStep&)> {
  template <class Arch>
  static constexpr type* function = adamw_update<Arch>;
};
template <>
inline void adamw_update<Dispatched>(float* p, const float* g, float* m, float* v, index_t size, const AdamWStep& s) {
  dispatch<AdamWUpdate>(p, g, m, v, size, s);
}
struct MomentumUpdate : Entry<void(float*, const float*, float*, index_t, float, float)> {
  template <class Arch>
  static constexpr type* function = momentum_update<Arch>;
};
template <>
inline void momentum_update<Dispatched>(float* p, const float* g, float* v, index_t size, float momentum, float rate) {
  dispatch<MomentumUpdate>(p, g, v, size, momentum, rate);
}
struct Scale : Entry<void(float*, index_t, float)> {
  template <class Arch>
  static constexpr type* function = scale<Arch>;
};
template <>
inline void scale<Dispatched>(float* x, index_t size, float factor) {
  dispatch<Scale>(x, size, factor);
}
struct SumOfSquares : Entry<double(const float*, index_t)> {
  template <class Arch>
  static constexpr type* function = sum_of_squares<Arch>;
};
template <>
inline double sum_of_squares<Dispatched>(const float* x, index_t size) {
  return dispatch<SumOfSquares>(x, size);
}

}  // namespace knnbert::inline v0_1::kernel
