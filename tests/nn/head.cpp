#include "knnbert/nn/head.hpp"

#include "kernel/values.hpp"
#include "knnbert/testing/head_laws.hpp"
#include "nn/directional.hpp"

using namespace knnbert_test;

namespace {

/// A head with random parameters, an input and a weighting of its output as a value to differentiate.
struct Case {
  MlpHead head;
  ParameterBlock values;
  Matrix x, u;
  std::optional<Rng> dropout;

  Case(bool hidden_layer, bool dropping, index_t rows = 7, index_t inputs = 19, index_t outputs = 5)
      : x(random_matrix(rows, inputs, 1)), u(random_matrix(rows, outputs, 2)) {
    ParameterTable table;
    head = MlpHead::declare(table, "classifier", inputs,
                            {.outputs = outputs, .hidden_layer = hidden_layer, .dropout = 0.3f});
    values = ParameterBlock(std::make_shared<const ParameterTable>(table));
    fill_random(values, 3, 0.3);
    if (dropping) dropout = Rng(4, Stream::dropout);
  }

  Matrix forward(ConstView input, index_t first = 0) const {
    HeadTape tape;
    Matrix out(input.rows(), head.outputs());
    head.forward(values, input, dropout, first, tape, out);
    return out;
  }
  double value() const {
    const Matrix out = forward(x);
    double total = 0;
    for (index_t b = 0; b < out.rows(); ++b)
      for (index_t c = 0; c < out.cols(); ++c) total += static_cast<double>(u(b, c)) * out(b, c);
    return total;
  }
  void backward(Gradients& gradients, Matrix& d_x, const Workers& workers = Workers()) const {
    HeadTape tape;
    Matrix out(x.rows(), head.outputs());
    head.forward(values, x, dropout, 0, tape, out);
    head.backward(values, tape, u, &gradients, d_x, workers);
  }
};

}  // namespace

namespace {

/// Half of what reaches the input.
struct HalfHead : MlpHead {
  static HalfHead declare(ParameterTable& table, const std::string& name, index_t inputs, const HeadOptions& o) {
    return {MlpHead::declare(table, name, inputs, o)};
  }
  void backward(const ParameterBlock& values, const HeadTape& tape, ConstView d_out, Gradients* gradients, View d_x,
                const Workers& workers) const {
    Matrix own(d_x.rows(), d_x.cols());
    own.fill(0);
    MlpHead::backward(values, tape, d_out, gradients, own, workers);
    scale_rows(own, 0.5f), add_rows(own, d_x);
  }
};

}  // namespace

TEST_CASE("heads keep their laws") {
  for (const HeadActivation activation : {HeadActivation::tanh, HeadActivation::relu})
    CHECK(testing::head_laws<MlpHead>({.outputs = 3, .activation = activation}) == testing::BrokenLaws{});
  CHECK(testing::head_laws<MlpHead>({.outputs = 4, .hidden_layer = false}) == testing::BrokenLaws{});
  CHECK_FALSE(testing::head_laws<HalfHead>().empty());
}

TEST_CASE("head: gradients of parameters and input by central differences, with and without hidden layer and dropout") {
  for (const bool hidden_layer : {false, true})
    for (const bool dropping : {false, true}) {
      CAPTURE(hidden_layer, dropping);
      Case c(hidden_layer, dropping);
      Gradients gradients(c.values.shared_table());
      Matrix d_x(7, 19);
      d_x.fill(0);
      c.backward(gradients, d_x);
      for (index_t p = 0; p < c.values.table().count(); ++p) {
        const auto s = slopes_of_parameter(c.values, gradients, p, 0.05, [&] { return c.value(); });
        CAPTURE(c.values.table()[p].name, s.numeric, s.analytic, s.size);
        CHECK(s.size > 0.01);
        CHECK(std::abs(s.numeric - s.analytic) < 1e-3 * s.size + 5e-5);
      }
      for (const auto& place : {std::pair<index_t, index_t>{0, 0}, {3, 18}, {6, 7}}) {
        const index_t b = place.first, k = place.second;
        const float kept = c.x(b, k);
        const double numeric = slope_at_zero(
            0.05, [&](double t) { c.x(b, k) = static_cast<float>(kept + t); }, [&] { return c.value(); });
        CHECK(std::abs(numeric - d_x(b, k)) < 1e-4);
      }
    }
}

TEST_CASE("head: value against plain loops in double") {
  for (const bool hidden_layer : {false, true}) {
    const Case c(hidden_layer, false);
    const auto layer = [&](const Linear& l, const std::vector<double>& in) {
      std::vector<double> out;
      for (index_t n = 0; n < l.outputs; ++n) {
        double sum = c.values.slice(l.bias)[n];
        for (index_t k = 0; k < l.inputs; ++k)
          sum += in[static_cast<std::size_t>(k)] * c.values.data()[c.values.table()[l.weight].at(n, k)];
        out.push_back(sum);
      }
      return out;
    };
    const Matrix out = c.forward(c.x);
    for (index_t b = 0; b < out.rows(); ++b) {
      std::vector<double> state(c.x.row(b).begin(), c.x.row(b).end());
      if (hidden_layer) {
        state = layer(c.head.dense(), state);
        for (double& s : state) s = std::tanh(s);
      }
      state = layer(c.head.output(), state);
      for (index_t n = 0; n < out.cols(); ++n) CHECK(std::abs(out(b, n) - state[static_cast<std::size_t>(n)]) < 2e-6);
    }
  }
}

TEST_CASE("head: a row and its masks do not depend on the batch") {
  for (const bool dropping : {false, true}) {
    const Case c(true, dropping);
    const Matrix whole = c.forward(c.x);
    for (index_t b = 0; b < 7; ++b)
      CHECK(same_bits(c.forward(ConstView(c.x).row_range(b, 1), b), ConstView(whole).row_range(b, 1)));
    CHECK(same_bits(c.forward(ConstView(c.x).row_range(2, 4), 2), ConstView(whole).row_range(2, 4)));
  }
  const Case c(true, true);
  CHECK_FALSE(same_bits(c.forward(c.x, 0), c.forward(c.x, 1)));
  Case other(true, true);
  other.dropout = Rng(5, Stream::dropout);
  CHECK_FALSE(same_bits(c.forward(c.x), other.forward(c.x)));
}

TEST_CASE("head: two heads of one model drop different units") {
  ParameterTable table;
  const HeadOptions options{.outputs = 40, .hidden_layer = false, .dropout = 0.5f};
  const auto first = MlpHead::declare(table, "classifier", 40, options),
             second = MlpHead::declare(table, "projection", 40, options);
  ParameterBlock values(std::make_shared<const ParameterTable>(table));
  HeadTape a, b;
  Matrix x(3, 40), out(3, 40);
  x.fill(1);
  first.forward(values, x, Rng(1, Stream::dropout), 0, a, out);
  second.forward(values, x, Rng(1, Stream::dropout), 0, b, out);
  CHECK_FALSE(same_bits(a.input, b.input));
}

TEST_CASE("head: backward adds, and the number of threads changes nothing") {
  const Case c(true, true, 30, 40, 170);
  Gradients once(c.values.shared_table()), again(c.values.shared_table());
  Matrix d_once(30, 40), d_again(30, 40);
  d_once.fill(0);
  d_again.fill(0);
  c.backward(once, d_once);
  const Workers workers(3);
  c.backward(again, d_again, workers);
  CHECK(std::memcmp(once.data(), again.data(), static_cast<std::size_t>(c.values.size()) * sizeof(float)) == 0);
  CHECK(same_bits(d_once, d_again));
  c.backward(again, d_again, workers);
  for (index_t i = 0; i < c.values.size(); ++i)
    REQUIRE(again.data()[i] == approx(2 * once.data()[i]).epsilon(1e-5).margin(1e-5));
  for (index_t b = 0; b < 30; ++b)
    for (index_t k = 0; k < 40; ++k) REQUIRE(d_again(b, k) == 2 * d_once(b, k));
}

TEST_CASE("head: no rows are no work; an impossible head is refused") {
  const Case c(true, false);
  CHECK(c.forward(Matrix(0, 19)).rows() == 0);
  ParameterTable table;
  CHECK_THROWS_AS(MlpHead::declare(table, "h", 8, {.outputs = 0}), OptionError);
}

TEST_CASE("head: fresh parameters are uniform in +-1/sqrt(inputs), functions of the seed, padding zero") {
  ParameterTable table;
  const auto head = MlpHead::declare(table, "classifier", 50, {.outputs = 21});
  ParameterBlock values(std::make_shared<const ParameterTable>(table)), same = values, other = values;
  head.initialize(values, Rng(1, Stream::initialize));
  head.initialize(same, Rng(1, Stream::initialize));
  head.initialize(other, Rng(2, Stream::initialize));
  const double bound = 1 / std::sqrt(50.0);
  for (index_t p = 0; p < table.count(); ++p) {
    Matrix m(table[p].rows, table[p].cols), n = m, o = m;
    values.read(p, m), same.read(p, n), other.read(p, o);
    CHECK(same_bits(m, n));
    CHECK_FALSE(same_bits(m, o));
    double sum = 0, squares = 0, most = 0;
    for (index_t r = 0; r < m.rows(); ++r)
      for (const float x : m.row(r))
        sum += x, squares += static_cast<double>(x) * x, most = std::max(most, std::abs(static_cast<double>(x)));
    const auto count = static_cast<double>(m.rows() * m.cols());
    CHECK(most <= bound);
    CHECK(std::abs(sum / count) < 5 * bound / std::sqrt(3 * count));
    CHECK(std::abs(squares / count - bound * bound / 3) < 5 * bound * bound * std::sqrt(4 / 45.0 / count));
  }
  const float* weight = values.slice(head.output().weight);
  for (index_t k = 0; k < 50; ++k) CHECK(weight[(50 + k) * 16 + 5] == 0);
}
