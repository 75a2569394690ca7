// The kernels for a narrower instruction set than the one this file is compiled for: other tiles, other tails.
#include "kernel/values.hpp"
#include "knnbert/kernel/epilogue.hpp"
#include "knnbert/kernel/product.hpp"
#include "knnbert/kernel/transpose.hpp"

using namespace knnbert_test;

#if XSIMD_WITH_SSE2
using Narrow = xsimd::sse2;
#else
using Narrow = DefaultArch;
#endif

TEST_CASE("narrow vectors: product, weight gradient and transposes agree with plain loops") {
  for (const index_t rows : {1, 2, 5, 6, 7, 13, 30})
    for (const index_t columns : {1, 7, 16, 17, 40})
      for (const index_t depth : {1, 9, 16, 35}) {
        CAPTURE(rows, columns, depth);
        const Matrix a = random_matrix(rows, depth, 1), w = random_matrix(columns, depth, 2),
                     y = random_matrix(rows, columns, 3);
        Matrix out(rows, columns);
        kernel::product<Narrow>(a, Panels(w).data(), columns, kernel::Store{out});
        const auto product = [&](index_t m, index_t n) {
          double sum = 0;
          for (index_t k = 0; k < depth; ++k) sum += static_cast<double>(a(m, k)) * w(n, k);
          return sum;
        };
        CHECK(largest_error(out, product) < 1e-5);

        const Panels gradient(Matrix(columns, depth));
        AlignedBuffer<float> copy(rows * 2 * panel_width);
        kernel::add_weight_gradient<Narrow>(a, y, gradient.data(), 0, round_up(columns, 16) / 16, copy.data());
        double worst = 0;
        for (index_t n = 0; n < columns; ++n)
          for (index_t k = 0; k < depth; ++k) {
            double sum = 0;
            for (index_t m = 0; m < rows; ++m) sum += static_cast<double>(y(m, n)) * a(m, k);
            worst = std::max(worst, std::abs(gradient.at(n, k) - sum));
          }
        CHECK(worst < 1e-5);

        Matrix turned(depth, rows);
        kernel::transpose<Narrow>(a, turned);
        CHECK(largest_error(turned, [&](index_t r, index_t c) { return double{a(c, r)}; }) == 0);
      }
}
