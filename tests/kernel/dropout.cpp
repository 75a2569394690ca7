#include "knnbert/kernel/dropout.hpp"

#include "kernel/values.hpp"

using namespace knnbert_test;

namespace {

using Arch = DefaultArch;

std::vector<std::uint64_t> keys_of(index_t rows, std::uint64_t seed) {
  std::vector<std::uint64_t> keys;
  for (index_t r = 0; r < rows; ++r) keys.push_back(Rng(seed, Stream::dropout).bits(static_cast<std::uint64_t>(r)));
  return keys;
}

/// The factors of a mask.
Matrix mask(const Dropout& dropout, index_t rows, index_t cols) {
  Matrix ones(rows, cols);
  ones.fill(1);
  kernel::apply_dropout<Arch>(ones, dropout, ones);
  return ones;
}

double dropped_share(const Matrix& m) {
  index_t zeros = 0;
  for (index_t r = 0; r < m.rows(); ++r)
    for (const float x : m.row(r)) zeros += x == 0;
  return static_cast<double>(zeros) / static_cast<double>(m.rows() * m.cols());
}

/// Correlation of being dropped between two masks.
template <class F>
double correlation(index_t rows, index_t cols, double rate, F&& pair) {
  double sum = 0;
  for (index_t r = 0; r < rows; ++r)
    for (index_t c = 0; c < cols; ++c) {
      const auto [a, b] = pair(r, c);
      sum += ((a == 0) - rate) * ((b == 0) - rate);
    }
  return sum / static_cast<double>(rows * cols) / (rate * (1 - rate));
}

}  // namespace

TEST_CASE("dropout: factors are exactly 0 or 1 / (1 - rate), dropped at the given rate") {
  const index_t rows = 300, cols = 500;
  for (const float rate : {0.01f, 0.1f, 0.3f, 0.5f, 0.9f}) {
    CAPTURE(rate);
    const auto keys = keys_of(rows, 1);
    const Matrix m = mask(Dropout{rate, 0, keys.data()}.at_site(3), rows, cols);
    for (index_t r = 0; r < rows; ++r)
      for (const float x : m.row(r)) REQUIRE((x == 0 || x == 1 / (1 - rate)));
    const double deviation = std::sqrt(rate * (1 - rate) / static_cast<double>(rows * cols));
    CHECK(std::abs(dropped_share(m) - rate) < 5 * deviation);
  }
}

TEST_CASE("dropout: every row and every column drops at the rate") {
  const index_t rows = 400, cols = 400;
  const double rate = 0.2;
  const auto keys = keys_of(rows, 2);
  const Matrix m = mask(Dropout{0.2f, 0, keys.data()}.at_site(0), rows, cols);
  double row_spread = 0, column_spread = 0;
  for (index_t i = 0; i < 400; ++i) {
    index_t in_row = 0, in_column = 0;
    for (index_t j = 0; j < 400; ++j) in_row += m(i, j) == 0, in_column += m(j, i) == 0;
    const double variance = 400 * rate * (1 - rate);
    row_spread += (static_cast<double>(in_row) - 80) * (static_cast<double>(in_row) - 80) / variance;
    column_spread += (static_cast<double>(in_column) - 80) * (static_cast<double>(in_column) - 80) / variance;
  }
  // Sums of 400 squared normal numbers.
  CHECK(std::abs(row_spread - 400) < 5 * std::sqrt(800.0));
  CHECK(std::abs(column_spread - 400) < 5 * std::sqrt(800.0));
}

TEST_CASE("dropout: masks of rows, sites and neighbors are independent") {
  const index_t rows = 301, cols = 400;
  const float rate = 0.25f;
  const auto keys = keys_of(rows, 3);
  const Dropout base{rate, 0, keys.data()};
  const Matrix a = mask(base.at_site(0), rows, cols), b = mask(base.at_site(1), rows, cols);
  const double bound = 5 / std::sqrt(300.0 * 399);
  CHECK(std::abs(correlation(300, 399, rate, [&](index_t r, index_t c) { return std::pair(a(r, c), b(r, c)); })) <
        bound);
  CHECK(std::abs(correlation(300, 399, rate, [&](index_t r, index_t c) { return std::pair(a(r, c), a(r + 1, c)); })) <
        bound);
  CHECK(std::abs(correlation(300, 399, rate, [&](index_t r, index_t c) { return std::pair(a(r, c), a(r, c + 1)); })) <
        bound);
}

TEST_CASE("dropout: the mask of a row depends on its key and the site only") {
  const index_t rows = 40, cols = 37;
  const auto keys = keys_of(rows, 4);
  const Dropout whole = Dropout{0.3f, 0, keys.data()}.at_site(5);
  const Matrix m = mask(whole, rows, cols);
  for (const index_t r : {0, 7, 39}) {
    CHECK(same_bits(mask(whole.from_row(r), 1, cols), ConstView(m).row_range(r, 1)));
    const std::vector<std::uint64_t> shuffled{1, keys[static_cast<std::size_t>(r)], 2};
    const Matrix other = mask(Dropout{0.3f, 0, shuffled.data()}.at_site(5), 3, cols);
    CHECK(same_bits(ConstView(other).row_range(1, 1), ConstView(m).row_range(r, 1)));
  }
  const Matrix wider = mask(whole, rows, cols + 30);
  CHECK(same_bits(View(const_cast<Matrix&>(wider)).col_range(0, cols), m));
  CHECK(same_bits(mask(whole, rows, cols), m));
}

TEST_CASE("dropout: the same mask from any vector width") {
#if XSIMD_WITH_SSE2
  const auto keys = keys_of(10, 5);
  const Dropout dropout = Dropout{0.4f, 0, keys.data()}.at_site(1);
  Matrix ones(10, 50);
  ones.fill(1);
  kernel::apply_dropout<xsimd::sse2>(ones, dropout, ones);
  CHECK(same_bits(ones, mask(dropout, 10, 50)));
#endif
}

TEST_CASE("dropout: scales what it keeps, in place or not; a rate of 0 or no keys switch it off") {
  const auto keys = keys_of(6, 6);
  const Dropout dropout = Dropout{0.5f, 0, keys.data()}.at_site(2);
  const Matrix x = random_matrix(6, 19, 1), m = mask(dropout, 6, 19);
  Matrix y(6, 19), in_place = x;
  kernel::apply_dropout<Arch>(x, dropout, y);
  kernel::apply_dropout<Arch>(in_place, dropout, in_place);
  CHECK(largest_error(y, [&](index_t r, index_t c) { return double{x(r, c) * m(r, c)}; }) == 0);
  CHECK(same_bits(y, in_place));
  CHECK(dropout.active());
  CHECK_FALSE(Dropout{0.0f, 0, keys.data()}.active());
  CHECK_FALSE(Dropout{0.5f, 0, nullptr}.active());
  CHECK_FALSE(Dropout{}.from_row(3).active());
}
