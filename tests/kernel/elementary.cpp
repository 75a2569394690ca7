#include "knnbert/kernel/elementary.hpp"

#include <limits>
#include <numbers>

#include "kernel/values.hpp"

using namespace knnbert_test;

namespace {

using Arch = DefaultArch;
constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();

template <class F>
float apply(F&& f, float x) {
  alignas(64) float out[lanes<Arch>];
  f(Floats<Arch>(x)).store_aligned(out);
  return out[0];
}

/// Largest error(given, exact) over a grid of [least, most], all lanes in use.
template <class F, class G, class E>
double worst_on_grid(double least, double most, F&& f, G&& exact, E&& error) {
  constexpr index_t steps = 400000;
  double worst = 0;
  for (index_t i = 0; i < steps; i += lanes<Arch>) {
    alignas(64) float x[lanes<Arch>], y[lanes<Arch>];
    for (index_t j = 0; j < lanes<Arch>; ++j)
      x[j] = static_cast<float>(least + (most - least) * static_cast<double>(i + j) / steps);
    f(Floats<Arch>::load_aligned(x)).store_aligned(y);
    for (index_t j = 0; j < lanes<Arch>; ++j) {
      const double e = error(static_cast<double>(y[j]), exact(static_cast<double>(x[j])));
      if (!(e <= worst)) worst = e;
    }
  }
  return worst;
}

double absolute(double given, double exact) { return std::abs(given - exact); }
double relative(double given, double exact) { return std::abs(given - exact) / std::abs(exact); }
/// For functions that grow: absolute below 1, relative above.
double mixed(double given, double exact) { return std::abs(given - exact) / std::max(1.0, std::abs(exact)); }

double gelu(double x) { return x * 0.5 * (1 + std::erf(x / std::numbers::sqrt2)); }
double gelu_slope(double x) {
  return 0.5 * (1 + std::erf(x / std::numbers::sqrt2)) + x * std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
}
double inner(double x) { return std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x); }
double gelu_tanh(double x) { return 0.5 * x * (1 + std::tanh(inner(x))); }
double gelu_tanh_slope(double x) {
  const double t = std::tanh(inner(x));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * std::sqrt(2 / std::numbers::pi) * (1 + 3 * 0.044715 * x * x);
}

const auto vector_exp = [](auto x) { return kernel::exp<Arch>(x); };
const auto vector_exp2 = [](auto x) { return kernel::exp2_of_negative<Arch>(x); };
const auto coarse_exp2 = [](auto x) { return kernel::coarse_exp2_of_negative<Arch>(x); };
const auto vector_erf = [](auto x) { return kernel::erf<Arch>(x); };
const auto vector_tanh = [](auto x) { return kernel::tanh<Arch>(x); };

template <class Activation>
constexpr auto activated = [](auto x) { return Activation::template value<Arch>(x); };
template <class Activation>
constexpr auto derivative = [](auto x) { return Activation::template derivative<Arch>(x); };
using ForBf16 = kernel::CoarseGelu<Precision::bf16>;
using ForInt8 = kernel::CoarseGelu<Precision::int8>;

}  // namespace

TEST_CASE("exp: relative error below 1.5e-7 from -87 to 88, clamped outside, exact at 0") {
  const auto exact = [](double x) { return std::exp(x); };
  CHECK(worst_on_grid(-87, 88, vector_exp, exact, relative) < 1.5e-7);
  CHECK(worst_on_grid(-1, 1, vector_exp, exact, relative) < 1.5e-7);
  CHECK(apply(vector_exp, 0) == 1);
  CHECK(apply(vector_exp, -0.0f) == 1);
  CHECK(relative(apply(vector_exp, infinity), std::exp(88.0)) < 1.5e-7);
  CHECK(relative(apply(vector_exp, 1e30f), std::exp(88.0)) < 1.5e-7);
  CHECK(relative(apply(vector_exp, -infinity), std::exp(-87.0)) < 1.5e-7);
}

TEST_CASE("2^x for x <= 0: relative error below 3e-7 and, coarse, 1e-4; far below it vanishes; a NaN stays") {
  const auto exact = [](double x) { return std::exp2(x); };
  CHECK(worst_on_grid(-125, 0, vector_exp2, exact, relative) < 3e-7);
  CHECK(worst_on_grid(-125, 0, coarse_exp2, exact, relative) < 1e-4);
  CHECK(worst_on_grid(-1, 0, coarse_exp2, exact, relative) < 1e-4);
  for (const float x : {-127.5f, -1000.0f, -1e30f}) {
    CHECK(apply(vector_exp2, x) < 2e-38f);
    CHECK(std::fabs(apply(coarse_exp2, x)) < 2e-38f);
  }
  CHECK(std::isnan(apply(vector_exp2, nan_value)));
  CHECK(std::isnan(apply(coarse_exp2, nan_value)));
}

TEST_CASE("erf: absolute error below 4e-7 everywhere, small arguments to the last digits") {
  const auto exact = [](double x) { return std::erf(x); };
  CHECK(worst_on_grid(-6, 6, vector_erf, exact, absolute) < 4e-7);
  CHECK(worst_on_grid(1e-6, 0.5, vector_erf, exact, relative) < 5e-7);
  CHECK(absolute(apply(vector_erf, infinity), 1) < 4e-7);
  CHECK(absolute(apply(vector_erf, -1e30f), -1) < 4e-7);
  CHECK(apply(vector_erf, 0) == 0);
}

TEST_CASE("tanh: absolute error below 2e-7, small arguments to the last digits, odd") {
  const auto exact = [](double x) { return std::tanh(x); };
  CHECK(worst_on_grid(-20, 20, vector_tanh, exact, absolute) < 2e-7);
  CHECK(worst_on_grid(1e-6, 0.7, vector_tanh, exact, relative) < 3e-7);
  for (const float x : {0.0f, 1e-20f, 0.1f, 0.624f, 0.626f, 3.0f, 50.0f, 1e30f, infinity}) {
    CHECK(apply(vector_tanh, -x) == -apply(vector_tanh, x));
    CHECK(std::fabs(apply(vector_tanh, x)) <= 1);
  }
  CHECK(apply(vector_tanh, infinity) == 1);
}

TEST_CASE("activations: values and derivatives against the formulas in double") {
  CHECK(worst_on_grid(-10, 10, activated<kernel::Gelu>, gelu, mixed) < 1e-6);
  CHECK(worst_on_grid(-10, 10, derivative<kernel::Gelu>, gelu_slope, absolute) < 5e-7);
  CHECK(worst_on_grid(-10, 10, activated<ForBf16>, gelu, absolute) < 3e-4);
  CHECK(worst_on_grid(0.001, 10, activated<ForBf16>, gelu, relative) < 5e-4);
  CHECK(worst_on_grid(-10, 10, activated<ForInt8>, gelu, absolute) < 1.2e-3);
  CHECK(worst_on_grid(0.001, 10, activated<ForInt8>, gelu, relative) < 2e-3);
  CHECK(worst_on_grid(-10, 10, activated<kernel::GeluTanh>, gelu_tanh, mixed) < 5e-7);
  CHECK(worst_on_grid(-10, 10, derivative<kernel::GeluTanh>, gelu_tanh_slope, absolute) < 3e-6);
  CHECK(worst_on_grid(
            -10, 10, activated<kernel::Tanh>, [](double x) { return std::tanh(x); }, absolute) < 2e-7);
  CHECK(worst_on_grid(
            -10, 10, derivative<kernel::Tanh>, [](double x) { return 1 - std::tanh(x) * std::tanh(x); }, absolute) <
        5e-7);
  CHECK(worst_on_grid(
            -10, 10, activated<kernel::Relu>, [](double x) { return std::max(0.0, x); }, absolute) == 0);
  CHECK(worst_on_grid(
            -10, 10, derivative<kernel::Relu>, [](double x) { return x > 0 ? 1.0 : 0.0; }, absolute) == 0);
}

TEST_CASE("activations: derivatives are those of the values, by central differences in double") {
  const auto slope = [](auto f) { return [f](double x) { return (f(x + 1e-5) - f(x - 1e-5)) / 2e-5; }; };
  CHECK(worst_on_grid(-8, 8, derivative<kernel::Gelu>, slope(gelu), absolute) < 1e-6);
  CHECK(worst_on_grid(-8, 8, derivative<kernel::GeluTanh>, slope(gelu_tanh), absolute) < 4e-6);
}

TEST_CASE("activations: large arguments neither overflow nor lose their limit") {
  for (const float x : {20.0f, 1e4f, 1e18f}) {
    CHECK(apply(activated<kernel::Gelu>, x) == approx(x));
    CHECK(std::fabs(apply(activated<kernel::Gelu>, -x)) <= 2e-7f * x);
    CHECK(apply(activated<ForBf16>, x) == approx(x));
    CHECK(std::fabs(apply(activated<ForBf16>, -x)) <= 1e-6f * x);
    CHECK(apply(activated<ForInt8>, x) == approx(x));
    CHECK(std::fabs(apply(activated<ForInt8>, -x)) <= 1e-6f * x);
    CHECK(apply(derivative<kernel::Gelu>, x) == approx(1));
  }
  for (const float x : {20.0f, 1000.0f}) {
    CHECK(apply(activated<kernel::GeluTanh>, x) == approx(x));
    CHECK(apply(activated<kernel::GeluTanh>, -x) == 0);
    CHECK(apply(derivative<kernel::GeluTanh>, x) == approx(1));
    CHECK(std::fabs(apply(derivative<kernel::GeluTanh>, -x)) < 1e-6f);
  }
}

TEST_CASE("a NaN stays a NaN: a diverged model must not look sound") {
  CHECK(std::isnan(apply(vector_exp, nan_value)));
  CHECK(std::isnan(apply(vector_exp, -nan_value)));
  CHECK(std::isnan(apply(vector_erf, nan_value)));
  CHECK(std::isnan(apply(vector_tanh, nan_value)));
  CHECK(std::isnan(apply(activated<kernel::Gelu>, nan_value)));
  CHECK(std::isnan(apply(activated<ForBf16>, nan_value)));
  CHECK(std::isnan(apply(activated<ForInt8>, nan_value)));
  CHECK(std::isnan(apply(activated<kernel::GeluTanh>, nan_value)));
  CHECK(std::isnan(apply(activated<kernel::Relu>, nan_value)));
  CHECK(std::isnan(apply(derivative<kernel::Gelu>, nan_value)));
  CHECK(std::isnan(apply(derivative<kernel::GeluTanh>, nan_value)));
  CHECK(std::isnan(apply(derivative<kernel::Tanh>, nan_value)));
}
