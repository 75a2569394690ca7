#pragma once
#include "knnbert/nn/head.hpp"
#include "knnbert/testing/laws.hpp"

namespace knnbert::inline v0_1::testing {

/// The laws of Head. tolerance: of gradients beside central differences.
template <Head H>
BrokenLaws head_laws(const HeadOptions& options = {.outputs = 3}, index_t width = 8, double tolerance = 2e-2) {
  BrokenLaws broken;
  ParameterTable table;
  const H head = H::declare(table, "law", width, options);
  for (const Parameter& p : table.all())
    expect(broken, p.name.starts_with("law."), "parameter {} is declared under the given name", p.name);
  expect(broken, head.outputs() == options.outputs, "{} outputs, {} asked for", head.outputs(), options.outputs);
  ParameterBlock values(std::make_shared<const ParameterTable>(std::move(table)));
  head.initialize(values, Rng(1, Stream::initialize));
  ParameterBlock again = values;
  head.initialize(again, Rng(1, Stream::initialize));
  const auto floats = [](const ParameterBlock& b) { return ConstView(b.data(), 1, b.size()); };
  expect(broken, same_bits(floats(values), floats(again)), "first values are a function of the random numbers");

  const index_t rows = 5;
  const std::optional<Rng> masks = Rng(2, Stream::dropout);
  Matrix x = random_rows(rows, width, 3), out(rows, head.outputs()), part(2, head.outputs());
  const Matrix d_out = random_rows(rows, head.outputs(), 4);
  typename H::tape_type tape;
  for (const auto& dropout : {std::optional<Rng>(), masks}) {
    const auto name = dropout ? "with dropout" : "without dropout";
    const auto value = [&] {
      Matrix y(rows, head.outputs());
      head.forward(std::as_const(values), x, dropout, 0, tape, y);
      double sum = 0;
      for (index_t i = 0; i < rows; ++i)
        for (index_t c = 0; c < y.cols(); ++c) sum += static_cast<double>(d_out(i, c)) * y(i, c);
      return sum;
    };
    head.forward(std::as_const(values), x, dropout, 0, tape, out);
    head.forward(std::as_const(values), ConstView(x).row_range(2, 2), dropout, 2, tape, part);
    expect(broken, largest_difference(part, ConstView(out).row_range(2, 2)) < 1e-5,
           "{}: a row is the same in a part of the step", name);
    Gradients gradients(values.shared_table()), none(values.shared_table());
    gradients.clear(), none.clear();
    Matrix d_x(rows, width), twice(rows, width);
    d_x.fill(0);
    value();  // fills the tape for all rows
    head.backward(std::as_const(values), std::as_const(tape), d_out, &gradients, d_x, Workers());
    copy(d_x, twice);
    head.backward(std::as_const(values), std::as_const(tape), d_out, nullptr, twice, Workers());
    for (index_t i = 0; i < rows; ++i)
      for (index_t k = 0; k < width; ++k)
        expect(broken, std::abs(twice(i, k) - 2 * d_x(i, k)) <= 1e-4f * (1 + std::abs(d_x(i, k))),
               "{}: backward adds to d_x, also without parameters' gradients", name);
    expect(broken, gradient_error(x, d_x, value) < tolerance, "{}: d_x is the gradient", name);
    ParameterBlock& block = values;
    const ConstView own(std::as_const(gradients).data(), 1, values.size());
    for (const Parameter& p : block.table().all()) {
      View parameter(block.data() + p.offset, 1, p.size);
      expect(broken, gradient_error(parameter, own.col_range(p.offset, p.size), value) < tolerance,
             "{}: the gradient of {}", name, p.name);
    }
  }
  return broken;
}

}  // namespace knnbert::inline v0_1::testing
