#pragma once
#include "knnbert/core/precision.hpp"
#include "knnbert/kernel/arch.hpp"

namespace knnbert::inline v0_1::kernel {

/// x + round_to_integer has round(x) in its low bits, for |x| < 2^22.
inline constexpr float round_to_integer = 12582912.0f;  // 1.5 * 2^23

/// a + x * (b + x * (c + ...)): Horner's scheme with fused steps.
template <class Arch>
KNNBERT_ALWAYS_INLINE Floats<Arch> polynomial(Floats<Arch>, float last) {
  return Floats<Arch>(last);
}
template <class Arch, class... Rest>
KNNBERT_ALWAYS_INLINE Floats<Arch> polynomial(Floats<Arch> x, float first, Rest... rest) {
  return xsimd::fma(x, polynomial<Arch>(x, rest...), Floats<Arch>(first));
}

/// e^x for x in [-87, 88], clamped outside; relative error about 1e-7. Cephes' polynomial on x - n ln 2.
/// Clamps have x as second operand: a comparison with NaN yields that one, so that NaN stays NaN.
template <class Arch>
KNNBERT_ALWAYS_INLINE Floats<Arch> exp(Floats<Arch> x) {
  using F = Floats<Arch>;
  x = xsimd::max(F(-87.0f), xsimd::min(F(88.0f), x));
  const F shifted = xsimd::fma(x, F(1.44269504f), F(round_to_integer));
  const F n = shifted - F(round_to_integer);
  const F r = xsimd::fma(n, F(2.12194440e-4f), xsimd::fma(n, F(-0.693359375f), x));
  const F p = polynomial<Arch>(r, 5.0000001201e-1f, 1.6666665459e-1f, 4.1665795894e-2f, 8.3334519073e-3f,
                               1.3981999507e-3f, 1.9875691500e-4f);
  const F mantissa = xsimd::fma(p, r * r, r + F(1.0f));
  const auto exponent = (bits_as<Integers<Arch>>(shifted) - Integers<Arch>(0x4B400000)) << 23;
  return bits_as<F>(bits_as<Integers<Arch>>(mantissa) + exponent);
}

/// 2^x for x <= 0, clamped at -126; relative error about 2e-7. Half the instructions of exp: the argument's reduction
/// is exact, and nothing overflows.
template <class Arch>
KNNBERT_ALWAYS_INLINE Floats<Arch> exp2_of_negative(Floats<Arch> x) {
  using F = Floats<Arch>;
  x = xsimd::max(F(-126.0f), x);
  const F shifted = x + F(round_to_integer);
  const F r = x - (shifted - F(round_to_integer));  // [-0.5, 0.5]
  const F p =
      polynomial<Arch>(r, 1.0f, 6.931468559e-1f, 2.402223800e-1f, 5.550892952e-2f, 9.671697938e-3f, 1.321867248e-3f);
  const auto exponent = bits_as<Integers<Arch>>(shifted) << 23;
  return bits_as<F>(bits_as<Integers<Arch>>(p) + exponent);
}

/// 2^x for x <= 0, relative error below 1e-4: for values that are rounded to bf16 next. Where the processor splits and
/// scales by powers of two itself, six instructions in place of twelve.
template <class Arch>
KNNBERT_ALWAYS_INLINE Floats<Arch> coarse_exp2_of_negative(Floats<Arch> x) {
#if defined(__AVX512DQ__)
  if constexpr (lanes<Arch> == 16) {
    const Floats<Arch> r(_mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF));  // [0, 1)
    return Floats<Arch>(_mm512_scalef_ps(polynomial<Arch>(r, 0.99992522f, 0.69583352f, 0.22606718f, 0.07802452f), x));
  }
#endif
  return exp2_of_negative<Arch>(x);
}

/// The error function, absolute error below 4e-7: the rational approximation that Eigen and XLA use, on [-4, 4].
template <class Arch>
KNNBERT_ALWAYS_INLINE Floats<Arch> erf(Floats<Arch> x) {
  using F = Floats<Arch>;
  x = xsimd::max(F(-4.0f), xsimd::min(F(4.0f), x));
  const F z = x * x;
  const F numerator =
      polynomial<Arch>(z, -1.60960333262415e-02f, -2.95459980854025e-03f, -7.34990630326855e-04f,
                       -5.69250639462346e-05f, -2.10102402082508e-06f, 2.77068142495902e-08f, -2.72614225801306e-10f);
  const F denominator = polynomial<Arch>(z, -1.42647390514189e-02f, -7.37332916720468e-03f, -1.68282697438203e-03f,
                                         -2.13374055278905e-04f, -1.45660718464996e-05f);
  return x * numerator / denominator;
}

/// tanh x, absolute error about 2e-7; through e^(2x), exact sign symmetry.
template <class Arch>
KNNBERT_ALWAYS_INLINE Floats<Arch> tanh(Floats<Arch> x) {
  using F = Floats<Arch>;
  const F magnitude = xsimd::abs(x);
  const F large = F(1.0f) - F(2.0f) / (exp<Arch>(magnitude + magnitude) + F(1.0f));
  const F z = x * x;  // near 0 the difference above loses digits: odd polynomial of Cephes
  const F p = polynomial<Arch>(z, -3.33332819422e-1f, 1.33314422036e-1f, -5.37397155531e-2f, 2.06390887954e-2f,
                               -5.70498872745e-3f);
  const F small = xsimd::fma(p * z, magnitude, magnitude);
  const F result = xsimd::select(magnitude < F(0.625f), small, large);
  return xsimd::select(x < F(0.0f), -result, result);
}

/// What a feed-forward layer applies between its products, with the derivative.
struct Gelu {  // erf form
  template <class Arch>
  static KNNBERT_ALWAYS_INLINE Floats<Arch> value(Floats<Arch> x) {
    using F = Floats<Arch>;
    return x * F(0.5f) * (erf<Arch>(x * F(0.70710678f)) + F(1.0f));
  }
  template <class Arch>
  static KNNBERT_ALWAYS_INLINE Floats<Arch> derivative(Floats<Arch> x) {
    using F = Floats<Arch>;
    const F phi = F(0.39894228f) * exp<Arch>(x * x * F(-0.5f));
    return xsimd::fma(x, phi, (erf<Arch>(x * F(0.70710678f)) + F(1.0f)) * F(0.5f));
  }
};

struct Identity {
  template <class Arch>
  static KNNBERT_ALWAYS_INLINE Floats<Arch> value(Floats<Arch> x) {
    return x;
  }
};

/// Gelu for values that are rounded to bf16 or int8 next: within 3e-4 and, where it is positive, within 5e-4 of it; for
/// int8 within 1.2e-3 and 2e-3. An odd polynomial of x up to a bound where it reaches 1/2; no division: a third of the
/// time.
template <Precision P>
struct CoarseGelu {
  template <class Arch>
  static KNNBERT_ALWAYS_INLINE Floats<Arch> value(Floats<Arch> x) {
    using F = Floats<Arch>;
    const F bound(P == Precision::int8 ? 3.4f : 3.8f);
    const F inner = xsimd::max(-bound, xsimd::min(bound, x));
    return x * xsimd::fma(inner, factor<Arch>(inner * inner), F(0.5f));
  }

 private:
  template <class Arch>
  static KNNBERT_ALWAYS_INLINE Floats<Arch> factor(Floats<Arch> z) {
    if constexpr (P == Precision::int8)
      return polynomial<Arch>(z, 3.94952029e-1f, -6.02764189e-2f, 6.82108337e-3f, -4.25542938e-4f, 1.09059001e-5f);
    else
      return polynomial<Arch>(z, 3.99532493e-1f, -6.66715253e-2f, 9.68735342e-3f, -9.99983735e-4f, 6.72034279e-5f,
                              -2.58239306e-6f, 4.24831905e-8f);
  }
};

struct GeluTanh {  // Hendrycks and Gimpel's approximation, "gelu_new" in checkpoints
  template <class Arch>
  static KNNBERT_ALWAYS_INLINE Floats<Arch> value(Floats<Arch> x) {
    using F = Floats<Arch>;
    return x * F(0.5f) * (tanh<Arch>(inner<Arch>(x)) + F(1.0f));
  }
  template <class Arch>
  static KNNBERT_ALWAYS_INLINE Floats<Arch> derivative(Floats<Arch> x) {
    using F = Floats<Arch>;
    const F t = tanh<Arch>(inner<Arch>(x));
    const F slope = F(0.79788456f) * xsimd::fma(x * x, F(3 * 0.044715f), F(1.0f));
    return F(0.5f) * xsimd::fma(x * slope, F(1.0f) - t * t, t + F(1.0f));
  }

 private:
  template <class Arch>
  static KNNBERT_ALWAYS_INLINE Floats<Arch> inner(Floats<Arch> x) {
    using F = Floats<Arch>;
    return F(0.79788456f) * x * xsimd::fma(x * x, F(0.044715f), F(1.0f));
  }
};

struct Relu {
  template <class Arch>
  static KNNBERT_ALWAYS_INLINE Floats<Arch> value(Floats<Arch> x) {
    return xsimd::max(Floats<Arch>(0.0f), x);
  }
  template <class Arch>
  static KNNBERT_ALWAYS_INLINE Floats<Arch> derivative(Floats<Arch> x) {
    return xsimd::select(x > Floats<Arch>(0.0f), Floats<Arch>(1.0f), Floats<Arch>(0.0f));
  }
};

struct Tanh {
  template <class Arch>
  static KNNBERT_ALWAYS_INLINE Floats<Arch> value(Floats<Arch> x) {
    return tanh<Arch>(x);
  }
  template <class Arch>
  static KNNBERT_ALWAYS_INLINE Floats<Arch> derivative(Floats<Arch> x) {
    const auto t = tanh<Arch>(x);
    return Floats<Arch>(1.0f) - t * t;
  }
};

}  // namespace knnbert::inline v0_1::kernel
