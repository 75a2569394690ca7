#include "knnbert/kernel/epilogue.hpp"

#include "kernel/values.hpp"
#include "knnbert/kernel/product.hpp"

using namespace knnbert_test;

namespace {

using Arch = DefaultArch;

/// A product [M, K] [K, N] and what epilogues add to it.
struct Case {
  Matrix a, w, plain, other;
  AlignedBuffer<float> bias;
  std::vector<std::uint64_t> keys;

  Case(index_t rows, index_t columns)
      : a(random_matrix(rows, 11, 1)), w(random_matrix(columns, 11, 2)), plain(rows, columns),
        other(random_matrix(rows, columns, 3)), bias(random_vector(columns, 4)) {
    run(kernel::Store{plain});
    for (index_t r = 0; r < rows; ++r) keys.push_back(mix_bits(static_cast<std::uint64_t>(r)));
  }
  template <class Epilogue>
  void run(const Epilogue& epilogue) const {
    kernel::product<Arch>(a, Panels(w).data(), w.rows(), epilogue);
  }
  Matrix out() const { return Matrix(plain.rows(), plain.cols()); }
  Dropout dropout() const { return Dropout{0.3f, 0, keys.data()}.at_site(1); }
};

float value_of(auto f, float x) {
  alignas(64) float all[lanes<Arch>];
  f(Floats<Arch>(x)).store_aligned(all);
  return all[0];
}

}  // namespace

TEST_CASE("epilogues: bias, sum and residual equal the same steps one after another") {
  for (const index_t rows : {1, 6, 13})
    for (const index_t columns : {1, 16, 21, 40}) {
      CAPTURE(rows, columns);
      const Case c(rows, columns);
      Matrix out = c.out();
      c.run(kernel::AddBias{out, c.bias.data()});
      CHECK(largest_error(out, [&](index_t r, index_t n) { return double{c.plain(r, n) + c.bias[n]}; }) == 0);
      c.run(kernel::StoreSum{out, c.other});
      CHECK(largest_error(out, [&](index_t r, index_t n) { return double{c.plain(r, n) + c.other(r, n)}; }) == 0);
      c.run(kernel::AddResidual<false>{out, c.other, c.bias.data(), {}});
      CHECK(largest_error(
                out, [&](index_t r, index_t n) { return double{(c.plain(r, n) + c.bias[n]) + c.other(r, n)}; }) == 0);
    }
}

TEST_CASE("epilogues: a residual behind dropout uses the mask that apply_dropout applies backward") {
  const Case c(13, 21);
  Matrix out = c.out(), mask = c.out();
  mask.fill(1);
  kernel::apply_dropout<Arch>(mask, c.dropout(), mask);
  c.run(kernel::AddResidual<true>{out, c.other, c.bias.data(), c.dropout()});
  CHECK(largest_error(out, [&](index_t r, index_t n) {
          return static_cast<double>(c.plain(r, n) + c.bias[n]) * mask(r, n) + c.other(r, n);
        }) < 1e-6);
  index_t dropped = 0;
  for (index_t r = 0; r < 13; ++r)
    for (index_t n = 0; n < 21; ++n) {
      if (mask(r, n) != 0) continue;
      ++dropped;
      CHECK(out(r, n) == c.other(r, n));
    }
  CHECK(dropped > 0);
}

TEST_CASE("epilogues: activations fused into the product equal separate passes, forward and backward") {
  const Case c(9, 37);
  Matrix before = c.out(), out = c.out(), lean = c.out(), apart = c.out();
  c.run(kernel::Activate<kernel::Gelu, true>{out, before, c.bias.data()});
  c.run(kernel::Activate<kernel::Gelu, false>{lean, View(), c.bias.data()});
  CHECK(same_bits(out, lean));
  CHECK(largest_error(before, [&](index_t r, index_t n) { return double{c.plain(r, n) + c.bias[n]}; }) == 0);
  kernel::activate<Arch, kernel::Gelu>(before, apart);
  CHECK(same_bits(out, apart));

  Matrix fused = c.out();
  c.run(kernel::ActivateBackward<kernel::Gelu>{fused, before});
  kernel::activate_backward<Arch, kernel::Gelu>(c.plain, before, apart);
  CHECK(same_bits(fused, apart));
  const auto derivative = [](auto x) { return kernel::Gelu::derivative<Arch>(x); };
  CHECK(largest_error(fused, [&](index_t r, index_t n) {
          return double{c.plain(r, n) * value_of(derivative, before(r, n))};
        }) == 0);
  Matrix in_place = c.plain;
  kernel::activate_backward<Arch, kernel::Gelu>(in_place, before, in_place);
  CHECK(same_bits(in_place, fused));
}

TEST_CASE("epilogues: StoreWithin never leaves its columns") {
  const Case c(7, 21);
  Matrix wide(7, 50);
  wide.fill(-7);
  c.run(kernel::StoreWithin{View(wide).col_range(3, 21)});
  CHECK(same_bits(View(wide).col_range(3, 21), c.plain));
  for (index_t r = 0; r < 7; ++r)
    for (index_t n = 0; n < 50; ++n)
      if (n < 3 || n >= 24) REQUIRE(wide(r, n) == -7);
}
