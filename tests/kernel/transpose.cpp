#include "knnbert/kernel/transpose.hpp"

#include "kernel/values.hpp"

using namespace knnbert_test;

TEST_CASE("transpose: exact for all small shapes, nothing else is written") {
  for (index_t rows = 1; rows <= 26; ++rows)
    for (const index_t cols : {1, 2, 7, 8, 9, 15, 16, 17, 25, 40}) {
      CAPTURE(rows, cols);
      const Matrix from = random_matrix(rows, cols, 1);
      Matrix to(cols, rows + 5);
      to.fill(-7);
      kernel::transpose<DefaultArch>(from, View(to).col_range(0, rows));
      CHECK(largest_error(View(to).col_range(0, rows), [&](index_t r, index_t c) { return double{from(c, r)}; }) == 0);
      CHECK(largest_error(View(to).col_range(rows, 5), [](index_t, index_t) { return -7.0; }) == 0);
    }
}

TEST_CASE("transpose: panels of a weight become panels of its transpose, in any partition, padding zero") {
  for (const index_t rows : {1, 8, 15, 16, 17, 33, 48})
    for (const index_t cols : {1, 7, 16, 20, 35, 64}) {
      CAPTURE(rows, cols);
      const Matrix w = random_matrix(rows, cols, 1);
      Matrix turned(cols, rows);
      for (index_t r = 0; r < rows; ++r)
        for (index_t c = 0; c < cols; ++c) turned(c, r) = w(r, c);
      const Panels from(w), expected(turned), whole(turned), parts(turned);
      std::fill_n(whole.data(), whole.size(), 9.0f);
      std::fill_n(parts.data(), parts.size(), -9.0f);
      const index_t panels = round_up(cols, 16) / 16;
      kernel::transpose_panels<DefaultArch>(from.data(), rows, cols, whole.data(), 0, panels);
      for (index_t p = panels - 1; p >= 0; --p)
        kernel::transpose_panels<DefaultArch>(from.data(), rows, cols, parts.data(), p, p + 1);
      const auto bytes = static_cast<std::size_t>(expected.size()) * sizeof(float);
      CHECK(std::memcmp(whole.data(), expected.data(), bytes) == 0);
      CHECK(std::memcmp(parts.data(), expected.data(), bytes) == 0);
    }
}
