#include "knnbert/kernel/lower.hpp"

#include <limits>

#include "kernel/values.hpp"
#include "knnbert/kernel/lower_panels.hpp"
#include "knnbert/kernel/product.hpp"

using namespace knnbert_test;

namespace {

#if XSIMD_WITH_SSE2
using Narrow = xsimd::sse2;
#else
using Narrow = DefaultArch;
#endif

/// The nearest bf16, ties to even, by the definition.
double bf16(float x) {
  int exponent;
  std::frexp(x, &exponent);
  const double step = std::ldexp(1.0, exponent - 8);
  return std::nearbyint(static_cast<double>(x) / step) * step;
}

template <class Dot>
LoweredWeight lowered(const Panels& panels, index_t rows, index_t depth) {
  LoweredWeight w;
  const index_t count = round_up(rows, panel_width) / panel_width;
  w.panels.reserve(count * panel_width * kernel::lanes_of<Dot>(depth));
  w.scales.reserve(count * panel_width);
  w.sums.reserve(count * panel_width);
  return kernel::lower_panels<DefaultArch, Dot>(panels.data(), depth, 0, count, w), w;
}

/// The integer that int8 stands for: nearest, ties to even.
int quantized(float x, float factor) { return static_cast<int>(std::nearbyint(x * factor)); }

}  // namespace

TEST_CASE("lower: numbers become the nearest bf16 in rows, weights and pairs of rows; infinities and NaN stay") {
  for (const index_t size : {1, 2, 31, 32, 33, 70}) {
    const Matrix x = random_matrix(3, size, 5, 10);
    kernel::LoweredRows rows;
    rows.assign<DefaultArch, kernel::Bf16>(x);
    CHECK(rows.lanes().cols() == (size + 1) / 2);
    for (index_t r = 0; r < 3; ++r)
      for (index_t c = 0; c < size; ++c) {
        std::uint16_t bits;
        std::memcpy(&bits, reinterpret_cast<const char*>(rows.lanes().data() + r * rows.lanes().stride()) + 2 * c, 2);
        const std::uint32_t wide = std::uint32_t{bits} << 16;
        float value;
        std::memcpy(&value, &wide, 4);
        CHECK(static_cast<double>(value) == bf16(x(r, c)));
      }
  }
  using F = Floats<DefaultArch>;
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float x : {infinity, -infinity, 0.0f, -0.0f, 1e-42f, 3.4e38f}) {
    const auto bits = kernel::detail::bf16_bits(x);
    const auto lane = kernel::detail::round_to_bf16<DefaultArch>(F(x));
    CHECK((static_cast<std::uint32_t>(lane.get(0)) >> 16) == bits);
  }
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(kernel::bits_as<F>(kernel::detail::round_to_bf16<DefaultArch>(F(nan))).get(0)));
}

TEST_CASE("lower: products of bf16 are those of the rounded factors") {
  for (const index_t rows : {1, 5, 14, 29, 70})
    for (const index_t columns : {1, 16, 33})
      for (const index_t depth : {1, 7, 32, 65, 96}) {
        CAPTURE(rows, columns, depth);
        const Matrix a = random_matrix(rows, depth, 1), w = random_matrix(columns, depth, 2);
        const LoweredWeight weight = lowered<kernel::Bf16>(Panels(w), columns, depth);
        kernel::LoweredRows left;
        left.assign<DefaultArch, kernel::Bf16>(a);
        Matrix out(rows, columns), narrow(rows, columns);
        kernel::product<DefaultArch, kernel::Bf16>(left.lanes(), weight.panels.data(), columns, kernel::Store{out});
        kernel::product<Narrow, kernel::BasicBf16<kernel::Instructions::plain>>(left.lanes(), weight.panels.data(),
                                                                                columns, kernel::Store{narrow});
        const auto expected = [&](index_t m, index_t n) {
          double sum = 0;
          for (index_t k = 0; k < depth; ++k) sum += bf16(a(m, k)) * bf16(w(n, k));
          return sum;
        };
        CHECK(largest_error(out, expected) < 1e-5);
        CHECK(largest_error(narrow, expected) < 1e-5);
      }
}

TEST_CASE("lower: products of int8 are exact in integers, rows of one sign use the whole range") {
  for (const index_t rows : {1, 5, 14, 29, 70})
    for (const index_t columns : {1, 16, 33})
      for (const index_t depth : {1, 3, 32, 70, 128}) {
        CAPTURE(rows, columns, depth);
        Matrix a = random_matrix(rows, depth, 1);
        for (index_t c = 0; c < depth; ++c) a(0, c) = std::fabs(a(0, c));
        const Matrix w = random_matrix(columns, depth, 2);
        const LoweredWeight weight = lowered<kernel::Int8>(Panels(w), columns, depth);
        kernel::LoweredRows left;
        left.assign<DefaultArch, kernel::Int8>(a);
        Matrix out(rows, columns), narrow(rows, columns);
        const auto run = [&]<class Arch, class Dot>(Arch, Dot, View to) {
          const kernel::Store store{to};
          kernel::product<Arch, Dot>(
              left.lanes(), weight.panels.data(), columns,
              kernel::Dequantize<kernel::Store>{store, left.meanings(), weight.scales.data(), weight.sums.data()});
        };
        run(DefaultArch{}, kernel::Int8{}, out);
        run(Narrow{}, kernel::BasicInt8<kernel::Instructions::plain>{}, narrow);
        CHECK(same_bits(out, narrow));
        const auto expected = [&](index_t m, index_t n) {
          float least = 0, most = 0, largest = 0;
          for (index_t k = 0; k < depth; ++k)
            least = std::min(least, a(m, k)), most = std::max(most, a(m, k)),
            largest = std::max(largest, std::fabs(w(n, k)));
          const float factor = 255.0f / (most - least), weight_factor = 127.0f / largest;
          const int zero = quantized(-least, factor);
          long sum = 0;
          for (index_t k = 0; k < depth; ++k)
            sum += long{std::min(255, zero + quantized(a(m, k), factor)) - zero} * quantized(w(n, k), weight_factor);
          return static_cast<double>(sum) / static_cast<double>(factor) / static_cast<double>(weight_factor);
        };
        CHECK(largest_error(out, expected) < 1e-4);
        for (index_t k = 0; k < depth; ++k) CHECK(left.meanings()[0].zero == 0);
      }
}

TEST_CASE("lower: gradients of weights from pairs of rows, also of an odd number") {
  for (const auto& [depth, columns] : {std::pair<index_t, index_t>{19, 35}, {70, 48}})
    for (const index_t rows : {1, 2, 7, 30, 75}) {
      CAPTURE(rows, depth, columns);
      const Matrix x = random_matrix(rows, depth, 3), y = random_matrix(rows, columns, 4);
      const index_t pairs = (rows + 1) / 2;
      Matrix px(pairs, depth), py(pairs, columns);
      kernel::pair_rows<DefaultArch>(x, 0, pairs, px);
      kernel::pair_rows<DefaultArch>(y, 0, pairs, py);
      const Panels gradient(Matrix(columns, depth));
      AlignedBuffer<float> copy(kernel::weight_gradient_scratch(pairs));
      kernel::add_weight_gradient<DefaultArch, kernel::Bf16>(px, py, gradient.data(), 0,
                                                             round_up(columns, panel_width) / panel_width, copy.data());
      Matrix out(columns, depth);
      for (index_t n = 0; n < columns; ++n)
        for (index_t k = 0; k < depth; ++k) out(n, k) = gradient.at(n, k);
      CHECK(largest_error(out, [&](index_t n, index_t k) {
              double sum = 0;
              for (index_t m = 0; m < rows; ++m) sum += bf16(x(m, k)) * bf16(y(m, n));
              return sum;
            }) < 1e-5);
      for (index_t n = columns; n < round_up(columns, panel_width); ++n)
        for (index_t k = 0; k < depth; ++k) CHECK(gradient.at(n, k) == 0.0f);
    }
}
