#include "kernel/values.hpp"

#include <limits>

#include "knnbert/kernel/product.hpp"

using namespace knnbert_test;

namespace {

using Arch = DefaultArch;

void add_gradient(ConstView x, ConstView y, const Panels& d, index_t first, index_t last) {
  AlignedBuffer<float> copy(y.rows() * 2 * panel_width);
  for (float& scratch : copy.span()) scratch = std::numeric_limits<float>::quiet_NaN();
  kernel::add_weight_gradient<Arch>(x, y, d.data(), first, last, copy.data());
}

Panels zeros(index_t columns, index_t depth) { return Panels(Matrix(columns, depth)); }

}  // namespace

TEST_CASE("weight gradient: rows 1 to 30, odd widths: adds the double sum within rounding; padding stays zero") {
  for (const index_t columns : {1, 15, 16, 17, 50})
    for (const index_t depth : {1, 7, 16, 20, 33}) {
      const Matrix start = random_matrix(columns, depth, 9);
      for (index_t rows = 1; rows <= 30; ++rows) {
        CAPTURE(columns, depth, rows);
        const Matrix x = random_matrix(rows, depth, 1), y = random_matrix(rows, columns, 2);
        const Panels d(start);
        const index_t panels = round_up(columns, 16) / 16;
        add_gradient(x, y, d, 0, panels);
        double worst = 0;
        for (index_t n = 0; n < columns; ++n)
          for (index_t k = 0; k < depth; ++k) {
            double sum = 0, magnitude = 0;
            for (index_t m = 0; m < rows; ++m) {
              const double term = static_cast<double>(y(m, n)) * x(m, k);
              sum += term, magnitude += std::abs(term);
            }
            const double bound = static_cast<double>(rows) * roundoff * magnitude +
                                 roundoff * (std::abs(start(n, k)) + std::abs(sum) + magnitude);
            const double error = std::abs(d.at(n, k) - (start(n, k) + sum));
            if (!(error <= worst * bound)) worst = error / bound;
          }
        CHECK(worst <= 1);
        for (index_t n = columns; n < panels * 16; ++n)
          for (index_t k = 0; k < depth; ++k) REQUIRE(d.at(n, k) == 0);
      }
    }
}

TEST_CASE("weight gradient: the same bits however the panels are shared") {
  const index_t columns = 90, depth = 21;
  const Matrix x = random_matrix(25, depth, 1), y = random_matrix(25, columns, 2);
  const Panels whole = zeros(columns, depth);
  add_gradient(x, y, whole, 0, 6);
  for (const std::vector<index_t>& cuts : {std::vector<index_t>{0, 1, 2, 3, 4, 5, 6}, {0, 3, 6}, {0, 5, 6}}) {
    const Panels parts = zeros(columns, depth);
    for (std::size_t i = 0; i + 1 < cuts.size(); ++i) add_gradient(x, y, parts, cuts[i], cuts[i + 1]);
    CHECK(std::memcmp(parts.data(), whole.data(), static_cast<std::size_t>(whole.size()) * sizeof(float)) == 0);
  }
  const Panels one = zeros(columns, depth);
  add_gradient(x, y, one, 2, 4);
  for (index_t i = 0; i < one.size(); ++i) {
    const index_t panel = i / (depth * 16);
    REQUIRE(one.data()[i] == (panel == 2 || panel == 3 ? whole.data()[i] : 0.0f));
  }
}

TEST_CASE("weight gradient: two calls add up") {
  const Matrix x = random_matrix(4, 5, 1), y = random_matrix(4, 3, 2);
  const Panels once = zeros(3, 5), twice = zeros(3, 5);
  add_gradient(x, y, once, 0, 1);
  add_gradient(x, y, twice, 0, 1);
  add_gradient(x, y, twice, 0, 1);
  for (index_t i = 0; i < once.size(); ++i) CHECK(twice.data()[i] == 2 * once.data()[i]);
}

TEST_CASE("bias gradient: adds column sums of the given columns") {
  const Matrix y = random_matrix(13, 20, 5);
  AlignedBuffer<float> d = random_vector(20, 6);
  const AlignedBuffer<float> before = d;
  kernel::add_column_sums<DefaultArch>(y, d.data(), 3, 17);
  for (index_t n = 0; n < 32; ++n) {
    double sum = before[n];
    if (n >= 3 && n < 17)
      for (index_t m = 0; m < 13; ++m) sum += y(m, n);
    CHECK(std::abs(d[n] - sum) <= 14 * roundoff * 20);
  }
}
