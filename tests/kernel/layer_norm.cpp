#include "knnbert/kernel/layer_norm_lowered.hpp"

#include "kernel/values.hpp"

using namespace knnbert_test;

namespace {

using Arch = DefaultArch;
constexpr index_t widths[] = {1, 2, 7, 8, 9, 16, 20, 33, 384};

struct Statistics {
  double mean = 0, scale = 0;
};

Statistics exact_statistics(std::span<const float> row, double epsilon) {
  Statistics s;
  double squares = 0;
  for (const float x : row) s.mean += x / static_cast<double>(row.size());
  for (const float x : row) squares += (x - s.mean) * (x - s.mean);
  s.scale = 1 / std::sqrt(squares / static_cast<double>(row.size()) + epsilon);
  return s;
}

struct Case {
  Matrix x;
  AlignedBuffer<float> gain, bias;
  float epsilon;

  Case(index_t rows, index_t width, float eps = 1e-12f)
      : x(random_matrix(rows, width, 1, 2)), gain(random_vector(width, 2, 0.3, 1)), bias(random_vector(width, 3, 0.5)),
        epsilon(eps) {}

  double value(index_t r, index_t c) const {
    const auto s = exact_statistics(x.row(r), epsilon);
    return (x(r, c) - s.mean) * s.scale * gain[c] + bias[c];
  }
  double weighted_sum(const Matrix& u) const {
    double total = 0;
    for (index_t r = 0; r < x.rows(); ++r)
      for (index_t c = 0; c < x.cols(); ++c) total += u(r, c) * value(r, c);
    return total;
  }
};

struct Output {
  Matrix y, statistics;
};

Output forward(const Case& c, ConstView x) {
  Output o{Matrix(x.rows(), x.cols()), Matrix(x.rows(), 2)};
  kernel::layer_norm<Arch>(x, c.gain.data(), c.bias.data(), c.epsilon, o.y, o.statistics);
  return o;
}

}  // namespace

TEST_CASE("layer norm: within 3e-6 of the double result, rows independent of each other") {
  for (const index_t width : widths)
    for (const index_t rows : {1, 2, 29}) {
      CAPTURE(width, rows);
      const Case c(rows, width, width < 3 ? 1e-3f : 1e-12f);
      const Output o = forward(c, c.x);
      CHECK(largest_error(o.y, [&](index_t r, index_t col) { return c.value(r, col); }) < 3e-6);
      for (index_t r = 0; r < rows; ++r) {
        const auto s = exact_statistics(c.x.row(r), c.epsilon);
        CHECK(o.statistics(r, 0) == approx(s.mean).epsilon(1e-5).margin(1e-6));
        CHECK(o.statistics(r, 1) == approx(s.scale).epsilon(1e-5));
        const Output alone = forward(c, ConstView(c.x).row_range(r, 1));
        CHECK(same_bits(alone.y, ConstView(o.y).row_range(r, 1)));
      }
    }
}

TEST_CASE("layer norm, lowered: the bits of a layer norm and of its rows lowered behind it") {
  const auto check = [](auto dot, const Case& c) {
    using Dot = decltype(dot);
    const Output expected = forward(c, c.x);
    kernel::LoweredRows lowered, rows;
    lowered.assign<Arch, Dot>(expected.y);
    rows.resize<Dot>(c.x);
    Matrix y(c.x.rows(), c.x.cols());
    kernel::layer_norm_lowered<Arch, Dot>(c.x, c.gain.data(), c.bias.data(), c.epsilon, y, rows.lanes(),
                                          rows.meanings());
    CHECK(same_bits(y, expected.y));
    CHECK(same_bits(rows.lanes(), lowered.lanes()));
    for (index_t r = 0; Dot::precision == Precision::int8 && r < c.x.rows(); ++r) {
      CHECK(rows.meanings()[r].scale == lowered.meanings()[r].scale);
      CHECK(rows.meanings()[r].zero == lowered.meanings()[r].zero);
    }
  };
  for (const index_t width : {8, 20, 33, 384}) {
    const Case c(7, width);
    check(kernel::Bf16(), c);
    check(kernel::Int8(), c);
  }
}

TEST_CASE("layer norm: a row without variance becomes the bias; a large mean costs digits, not sense") {
  Case c(2, 20);
  for (index_t col = 0; col < 20; ++col) c.x(0, col) = 3.25f, c.x(1, col) = 1e4f + static_cast<float>(col % 5);
  const Output o = forward(c, c.x);
  for (index_t col = 0; col < 20; ++col) CHECK(o.y(0, col) == c.bias[col]);
  CHECK(largest_error(ConstView(o.y).row_range(1, 1), [&](index_t, index_t col) { return c.value(1, col); }) < 1e-4);
}

TEST_CASE("layer norm: may work in place") {
  Case c(5, 21);
  const Output apart = forward(c, c.x);
  Matrix statistics(5, 2);
  kernel::layer_norm<Arch>(c.x, c.gain.data(), c.bias.data(), c.epsilon, c.x, statistics);
  CHECK(same_bits(c.x, apart.y));
}

TEST_CASE("layer norm backward: input, gain and bias by central differences in double") {
  for (const index_t width : {2, 7, 8, 9, 16, 20, 33}) {
    CAPTURE(width);
    Case c(3, width, 1e-3f);
    const Matrix u = random_matrix(3, width, 5);
    const Output o = forward(c, c.x);
    Matrix d_x(3, width);
    kernel::layer_norm_backward<Arch>(c.x, o.statistics, c.gain.data(), u, d_x);
    AlignedBuffer<float> d_gain = random_vector(width, 7), d_bias = random_vector(width, 8);
    const AlignedBuffer<float> gain_before = d_gain, bias_before = d_bias;
    kernel::add_layer_norm_gradient<Arch>(c.x, o.statistics, u, d_gain.data(), d_bias.data(), 0, width / 2);
    kernel::add_layer_norm_gradient<Arch>(c.x, o.statistics, u, d_gain.data(), d_bias.data(), width / 2, width);
    const auto slope = [&](float& at) {
      const float kept = at;
      at = kept + 1e-3f;
      const double up = c.weighted_sum(u), above = at;
      at = kept - 1e-3f;
      const double down = c.weighted_sum(u), below = at;
      at = kept;
      return (up - down) / (above - below);
    };
    CHECK(largest_error(d_x, [&](index_t r, index_t col) { return slope(c.x(r, col)); }) < 2e-5);
    for (index_t col = 0; col < width; ++col) {
      CHECK(std::abs(d_gain[col] - gain_before[col] - slope(c.gain[col])) < 5e-6);
      CHECK(std::abs(d_bias[col] - bias_before[col] - slope(c.bias[col])) < 5e-6);
    }
    Matrix in_place = u;
    kernel::layer_norm_backward<Arch>(c.x, o.statistics, c.gain.data(), in_place, in_place);
    CHECK(same_bits(in_place, d_x));
    const Matrix alone = [&] {
      Matrix d(1, width);
      kernel::layer_norm_backward<Arch>(ConstView(c.x).row_range(2, 1), ConstView(o.statistics).row_range(2, 1),
                                        c.gain.data(), ConstView(u).row_range(2, 1), d);
      return d;
    }();
    CHECK(same_bits(alone, ConstView(d_x).row_range(2, 1)));
  }
}
