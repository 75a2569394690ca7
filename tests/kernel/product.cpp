#include "knnbert/kernel/product.hpp"

#include "kernel/values.hpp"
#include "knnbert/kernel/epilogue.hpp"

using namespace knnbert_test;

namespace {

template <class Arch>
Matrix multiply(ConstView a, const Panels& panels, index_t columns) {
  Matrix out(a.rows(), columns);
  out.fill(-7);
  kernel::product<Arch>(a, panels.data(), columns, kernel::Store{out});
  return out;
}

/// a w^T, and the bound K 2^-24 sum |a| |w| for any order of summation, as a part of which the error is measured.
double error_in_bounds(ConstView a, ConstView w, ConstView out) {
  double worst = 0;
  for (index_t m = 0; m < a.rows(); ++m)
    for (index_t n = 0; n < w.rows(); ++n) {
      double sum = 0, magnitude = 0;
      for (index_t k = 0; k < a.cols(); ++k) {
        const double term = static_cast<double>(a(m, k)) * w(n, k);
        sum += term, magnitude += std::abs(term);
      }
      const double error = std::abs(out(m, n) - sum) / (static_cast<double>(a.cols()) * roundoff * magnitude);
      if (!(error <= worst)) worst = std::isnan(error) ? 1e30 : error;
    }
  return worst;
}

template <class Arch>
void check_all_shapes() {
  for (const index_t columns : {1, 5, 8, 16, 17, 33, 48, 100})
    for (const index_t depth : {1, 3, 16, 20, 37, 64}) {
      const Matrix w = random_matrix(columns, depth, 1), all = random_matrix(30, depth, 2);
      const Panels panels(w);
      const Matrix whole = multiply<Arch>(all, panels, columns);
      for (index_t rows = 1; rows <= 30; ++rows) {
        CAPTURE(columns, depth, rows);
        const ConstView a = ConstView(all).row_range(0, rows);
        const Matrix out = multiply<Arch>(a, panels, columns);
        CHECK(error_in_bounds(a, w, out) <= 1);
        CHECK(same_bits(out, ConstView(whole).row_range(0, rows)));
        const Matrix alone = multiply<Arch>(ConstView(all).row_range(rows - 1, 1), panels, columns);
        CHECK(same_bits(alone, ConstView(whole).row_range(rows - 1, 1)));
      }
    }
}

}  // namespace

TEST_CASE("product: rows 1 to 30, odd widths: within rounding of the double sum, and no row depends on another") {
  check_all_shapes<DefaultArch>();
}

TEST_CASE("product: matrices higher than a block of rows") {
  const index_t depth = 2048, rows = 75;
  REQUIRE(kernel::detail::rows_per_block<DefaultArch>(rows, depth) < rows);
  const Matrix w = random_matrix(40, depth, 1), a = random_matrix(rows, depth, 2);
  const Panels panels(w);
  const Matrix out = multiply<DefaultArch>(a, panels, 40);
  CHECK(error_in_bounds(a, w, out) <= 1);
  for (const index_t row : {0, 31, 32, 33, 60, 74})
    CHECK(
        same_bits(multiply<DefaultArch>(ConstView(a).row_range(row, 1), panels, 40), ConstView(out).row_range(row, 1)));
}

TEST_CASE("product: no rows, no work") {
  const Matrix w = random_matrix(20, 8, 1), a(0, 8);
  CHECK(multiply<DefaultArch>(a, Panels(w), 20).rows() == 0);
}

TEST_CASE("product: rows may lie apart, and only whole vectors past the last column are written") {
  const Matrix wide = random_matrix(9, 50, 3), w = random_matrix(21, 20, 4);
  const ConstView a = ConstView(wide).col_range(7, 20);
  Matrix copied(9, 20);
  copy(a, copied);
  Matrix out(9, 60);
  out.fill(-7);
  kernel::product<DefaultArch>(a, Panels(w).data(), 21, kernel::Store{out});
  CHECK(same_bits(View(out).col_range(0, 21), multiply<DefaultArch>(copied, Panels(w), 21)));
  CHECK(largest_error(View(out).col_range(32, 28), [](index_t, index_t) { return -7.0; }) == 0);
}

TEST_CASE("product: a tile's sums come in ascending order, whatever its height") {
  // 2^24 + 1 - 2^24: only the ascending order gives 0 in float.
  Matrix a(14, 3), w(1, 3);
  for (index_t r = 0; r < 14; ++r) a(r, 0) = 0x1p24f, a(r, 1) = 1, a(r, 2) = -0x1p24f;
  for (index_t k = 0; k < 3; ++k) w(0, k) = 1;
  for (index_t rows = 1; rows <= 14; ++rows) {
    const Matrix out = multiply<DefaultArch>(ConstView(a).row_range(0, rows), Panels(w), 1);
    CHECK(largest_error(out, [](index_t, index_t) { return 0.0; }) == 0);
  }
}

TEST_CASE("tiles: rows are split into nearly equal heights that cover them once") {
  for (index_t first = 0; first < 3; ++first)
    for (index_t rows = 0; rows <= 70; ++rows) {
      index_t next = first, least = 1000, most = 0;
      kernel::for_each_row_tile<DefaultArch>(first, first + rows, [&](index_t row, index_t height) {
        CHECK(row == next);
        next += height;
        least = std::min(least, height), most = std::max(most, height);
      });
      CHECK(next == first + rows);
      if (rows) CHECK((least >= 1 && most <= kernel::tile_rows<DefaultArch> && most - least <= 1));
    }
}
