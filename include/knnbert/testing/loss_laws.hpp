#pragma once
#include "knnbert/loss/concept.hpp"
#include "knnbert/testing/laws.hpp"

namespace knnbert::inline v0_1::testing {

namespace detail {

template <class Call>
bool refuses(Call&& call) {
  try {
    call();
  } catch (const ShapeError&) { return true; }
  return false;
}

inline Matrix scaled_rows(index_t rows, index_t cols, std::uint64_t seed, float scale) {
  Matrix x = random_rows(rows, cols, seed);
  for (index_t i = 0; i < rows; ++i)
    for (float& value : x.row(i)) value *= scale;
  return x;
}

}  // namespace detail

/// The laws of Loss on random rows of the given shape; labels count from 0 to classes - 1.
template <Loss L>
BrokenLaws loss_laws(const L& loss, index_t rows = 6, index_t cols = 4, index_t classes = 3, double tolerance = 1e-2) {
  BrokenLaws broken;
  Matrix x = detail::scaled_rows(rows, cols, 31, 0.7f), d(rows, cols), again(rows, cols);
  std::vector<label_t> labels;
  for (index_t i = 0; i < rows; ++i) labels.push_back(static_cast<label_t>(i % classes));
  d.fill(1e9f), again.fill(-1e9f);
  const float value = loss(x, labels, d), second = loss(x, labels, again);
  expect(broken, value == second && same_bits(d, again),
         "pure: overwrites the gradient, equal results for equal arguments");
  const double error = gradient_error(x, d, [&] { return loss(x, labels, again); });
  expect(broken, error < tolerance, "value and gradient agree by central differences (error {})", error);
  expect(broken, detail::refuses([&] { loss(Matrix(0, cols), {}, Matrix(0, cols)); }), "an empty batch is refused");
  expect(broken, detail::refuses([&] { loss(x, std::span(labels).first(labels.size() - 1), d); }),
         "a wrong number of labels is refused");
  return broken;
}

/// The laws of Divergence. smooth: false for a divergence that is documented not to be the integral of its gradient.
template <Divergence D>
BrokenLaws divergence_laws(const D& divergence, index_t rows = 4, index_t cols = 5, bool smooth = true,
                           double tolerance = 1e-2) {
  BrokenLaws broken;
  Matrix a = detail::scaled_rows(rows, cols, 32, 1), b = detail::scaled_rows(rows, cols, 33, 1);
  Matrix d_a(rows, cols), d_b(rows, cols), alone(rows, cols);
  d_a.fill(1e9f), d_b.fill(1e9f);
  const float value = divergence(a, b, d_a, d_b), second = divergence(a, b, alone);
  expect(broken, value == second && same_bits(d_a, alone), "d_a does not depend on whether d_b is asked for");
  if (smooth) {
    const double error_a = gradient_error(a, d_a, [&] { return divergence(a, b, alone); });
    const double error_b = gradient_error(b, d_b, [&] { return divergence(a, b, alone); });
    expect(broken, error_a < tolerance, "d_a agrees with central differences (error {})", error_a);
    expect(broken, error_b < tolerance, "d_b agrees with central differences (error {})", error_b);
  }
  expect(broken, divergence(a, a, d_a, d_b) == 0 && largest_difference(d_a, Matrix(rows, cols)) == 0,
         "zero and flat where a equals b");
  expect(broken, detail::refuses([&] { divergence(Matrix(0, cols), Matrix(0, cols), Matrix(0, cols)); }),
         "an empty batch is refused");
  return broken;
}

}  // namespace knnbert::inline v0_1::testing
