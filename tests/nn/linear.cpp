#include "knnbert/nn/linear.hpp"

#include "kernel/values.hpp"
#include "nn/directional.hpp"

using namespace knnbert_test;

namespace {

struct LinearCase {
  Linear layer;
  ParameterBlock values;
  Matrix weight, x, d;

  LinearCase(index_t rows, index_t outputs, index_t inputs)
      : weight(outputs, inputs), x(random_matrix(rows, inputs, 1)), d(random_matrix(rows, outputs, 2)) {
    ParameterTable table;
    layer = Linear::declare(table, "dense", outputs, inputs);
    values = ParameterBlock(std::make_shared<const ParameterTable>(table));
    fill_random(values, 5, 1);
    values.read(layer.weight, weight);
  }
};

}  // namespace

TEST_CASE("linear: forward, gradient of the input and of the parameters against plain loops") {
  for (const index_t rows : {1, 14, 30})
    for (const index_t outputs : {1, 17, 200})
      for (const index_t inputs : {1, 20, 150}) {
        CAPTURE(rows, outputs, inputs);
        const LinearCase c(rows, outputs, inputs);
        Matrix y(rows, outputs);
        linear<DefaultArch>(c.layer, c.values, c.x, y);
        const auto forward = [&](index_t m, index_t n) {
          double sum = c.values.slice(c.layer.bias)[n];
          for (index_t k = 0; k < inputs; ++k) sum += static_cast<double>(c.x(m, k)) * c.weight(n, k);
          return sum;
        };
        CHECK(largest_error(y, forward) < 5e-5);

        for (const index_t threads : {1, 3}) {
          const Workers workers(threads);
          TransposedWeight transposed;
          transposed.assign<DefaultArch>(c.layer, c.values, workers);
          Matrix d_x(rows, inputs);
          linear_backward<DefaultArch>(c.layer, transposed, c.d, kernel::Store{d_x});
          const auto backward = [&](index_t m, index_t k) {
            double sum = 0;
            for (index_t n = 0; n < outputs; ++n) sum += static_cast<double>(c.d(m, n)) * c.weight(n, k);
            return sum;
          };
          CHECK(largest_error(d_x, backward) < 6e-5);
        }

        Gradients gradients(c.values.shared_table());
        AlignedBuffer<float> scratch;
        for (index_t task = gradient_tasks(c.layer) - 1; task >= 0; --task)
          add_linear_gradient<DefaultArch>(c.layer, c.x, c.d, gradients, task, scratch);
        Matrix d_weight(outputs, inputs), d_bias(1, outputs);
        gradients.block().read(c.layer.weight, d_weight);
        gradients.block().read(c.layer.bias, d_bias);
        const auto of_weight = [&](index_t n, index_t k) {
          double sum = 0;
          for (index_t m = 0; m < rows; ++m) sum += static_cast<double>(c.d(m, n)) * c.x(m, k);
          return sum;
        };
        const auto of_bias = [&](index_t, index_t n) {
          double sum = 0;
          for (index_t m = 0; m < rows; ++m) sum += c.d(m, n);
          return sum;
        };
        CHECK(largest_error(d_weight, of_weight) < 1e-5);
        CHECK(largest_error(d_bias, of_bias) < 1e-5);
      }
}

TEST_CASE("linear: a transpose follows the values it is assigned from") {
  LinearCase c(2, 20, 9);
  const Workers workers;
  TransposedWeight transposed;
  transposed.assign<DefaultArch>(c.layer, c.values, workers);
  const float before = transposed.panels()[0];
  c.values.slice(c.layer.weight)[0] += 1;
  transposed.assign<DefaultArch>(c.layer, c.values, workers);
  CHECK(transposed.panels()[0] == before + 1);
}
