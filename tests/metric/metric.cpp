#include <limits>

#include "catch.hpp"
#include "knnbert/metric/cosine.hpp"
#include "knnbert/metric/euclidean.hpp"
#include "knnbert/metric/finite.hpp"
#include "knnbert/metric/pairwise.hpp"
#include "knnbert/testing/metric_laws.hpp"

using namespace knnbert;
using knnbert::testing::random_rows;
using knnbert_test::approx;

namespace {

struct Manhattan {
  float operator()(std::span<const float> a, std::span<const float> b) const {
    float total = 0;
    for (std::size_t i = 0; i < a.size(); ++i) total -= std::abs(a[i] - b[i]);
    return total;
  }
};

struct NegatedSquare {
  float operator()(std::span<const float> a, std::span<const float> b) const {
    float total = 0;
    for (std::size_t i = 0; i < a.size(); ++i) total -= (a[i] - b[i]) * (a[i] - b[i]);
    return total;
  }
  void gradient(std::span<const float> a, std::span<const float> b, float d, std::span<float> d_a) const {
    for (std::size_t i = 0; i < a.size(); ++i) d_a[i] -= 2 * d * (a[i] - b[i]);
  }
};

struct Inverted {  // smaller is closer: the wrong polarity
  void prepare(View) const {}
  void score(ConstView q, ConstView k, View out) const {
    Euclidean{}.score(q, k, out);
    for (index_t i = 0; i < out.rows(); ++i)
      for (float& x : out.row(i)) x = -x;
  }
};

struct WrongGradient : Dot {
  void backward(ConstView q, ConstView k, ConstView s, ConstView d, View d_q) const {
    Dot::backward(q, k, s, d, d_q);
    d_q(0, 0) += 1;
  }
};

double plain_dot(ConstView a, index_t i, ConstView b, index_t j) {
  double total = 0;
  for (index_t c = 0; c < a.cols(); ++c) total += static_cast<double>(a(i, c)) * b(j, c);
  return total;
}

}  // namespace

static_assert(DifferentiableMetric<Cosine> && DifferentiableMetric<Dot> && DifferentiableMetric<Euclidean>);
static_assert(Metric<Pairwise<Manhattan>> && !DifferentiableMetric<Pairwise<Manhattan>>);
static_assert(DifferentiableMetric<Pairwise<NegatedSquare>>);

TEST_CASE("a metric without a name of its own is called by its type", "[metric]") {
  CHECK(policy_name(Cosine{}) == "cosine");
  CHECK(policy_name(Pairwise<Manhattan>{}) == "pairwise Manhattan");
  CHECK(policy_name(Inverted{}) == "Inverted");
  CHECK(knnbert::detail::without_qualifiers("knnbert::Pairwise<{anonymous}::Far, my::inner::Near<3> >") ==
        "Pairwise<Far,Near<3>>");
}

TEST_CASE("metrics keep their laws", "[metric]") {
  const index_t width = GENERATE(1, 3, 8, 19, 48, 100);
  CAPTURE(width);
  CHECK(testing::metric_laws(Dot{}, width) == testing::BrokenLaws{});
  if (width > 1) CHECK(testing::metric_laws(Cosine{}, width) == testing::BrokenLaws{});
  CHECK(testing::metric_laws(Euclidean{}, width) == testing::BrokenLaws{});
  CHECK(testing::metric_laws(Pairwise<Manhattan>{}, width) == testing::BrokenLaws{});
  CHECK(testing::metric_laws(Pairwise<NegatedSquare>{}, width) == testing::BrokenLaws{});
}

TEST_CASE("the metric laws can be broken", "[metric]") {
  CHECK_FALSE(testing::metric_laws(Inverted{}).empty());
  CHECK_FALSE(testing::metric_laws(WrongGradient{}).empty());
}

TEST_CASE("scores agree with plain loops for every shape of block", "[metric]") {
  for (const index_t width : {1, 7, 8, 31, 64, 385})
    for (const index_t queries : {1, 2, 3, 4, 5, 9})
      for (const index_t keys : {1, 2, 7, 8, 13, 150}) {
        CAPTURE(width, queries, keys);
        const Matrix q = random_rows(queries, width, 1), k = random_rows(keys, width, 2);
        Matrix out(queries, keys), distances(queries, keys);
        Dot{}.score(q, k, out);
        Euclidean{}.score(q, k, distances);
        for (index_t i = 0; i < queries; ++i)
          for (index_t j = 0; j < keys; ++j) {
            const double exact = plain_dot(q, i, k, j);
            REQUIRE(std::abs(out(i, j) - exact) < 1e-5 * static_cast<double>(width + 10));
            const double square = plain_dot(q, i, q, i) + plain_dot(k, j, k, j) - 2 * exact;
            REQUIRE(distances(i, j) == approx(-std::sqrt(square)).epsilon(1e-4));
          }
      }
}

TEST_CASE("a row of accumulate does not depend on the other rows", "[metric]") {
  for (const index_t width : {5, 24, 67, 400}) {
    const Matrix weights = random_rows(11, 300, 1), keys = random_rows(300, width, 2);
    Matrix all(11, width), exact(11, width);
    kernel::accumulate<DefaultArch>(weights, keys, all);
    for (index_t i = 0; i < 11; ++i) {
      Matrix one(1, width);
      kernel::accumulate<DefaultArch>(ConstView(weights).row_range(i, 1), keys, one);
      CHECK(testing::same_bits(one, ConstView(all).row_range(i, 1)));
      for (index_t c = 0; c < width; ++c) {
        double total = 0;
        for (index_t j = 0; j < 300; ++j) total += static_cast<double>(weights(i, j)) * keys(j, c);
        REQUIRE(std::abs(total - all(i, c)) < 2e-4);
      }
    }
  }
}

TEST_CASE("cosine: zero, tiny and huge rows", "[metric]") {
  Matrix rows(4, 3);
  rows(1, 0) = 1e-13f;                     // shorter than 1e-12: zero
  rows(2, 1) = 3e-12f;                     // just long enough
  rows(3, 0) = 3e25f, rows(3, 2) = 4e25f;  // squares overflow a float
  Matrix raw = rows;
  Cosine{}.prepare(rows);
  for (index_t c = 0; c < 3; ++c) CHECK((rows(0, c) == 0.0f && rows(1, c) == 0.0f));
  CHECK(rows(2, 1) == 1.0f);
  CHECK(rows(3, 0) == approx(0.6));
  CHECK(rows(3, 2) == approx(0.8));
  Matrix scores(4, 4), d(4, 3), d_raw(4, 3);
  Cosine{}.score(rows, rows, scores);
  for (index_t j = 0; j < 4; ++j) CHECK((scores(0, j) == 0.0f && scores(j, 1) == 0.0f));
  d.fill(1);
  d_raw.fill(7);
  Cosine{}.prepare_backward(raw, rows, d, d_raw);
  for (index_t c = 0; c < 3; ++c) CHECK((d_raw(0, c) == 0.0f && d_raw(1, c) == 0.0f));
  CHECK(d_raw(2, 0) == approx(1 / 3e-12));
  CHECK(d_raw(2, 1) == approx(0.0));
}

TEST_CASE("euclidean: equal rows are at distance 0 and pass no gradient", "[metric]") {
  Matrix q = random_rows(1, 5, 1), k = q, scores(1, 1), d(1, 1), d_q(1, 5);
  Euclidean{}.score(q, k, scores);
  CHECK(scores(0, 0) == 0.0f);
  d.fill(1);
  Euclidean{}.backward(q, k, scores, d, d_q);
  for (const float x : d_q.row(0)) CHECK(x == 0.0f);
}

TEST_CASE("metrics refuse shapes that do not fit", "[metric]") {
  const Matrix q(2, 3), k(4, 5), fit(4, 3);
  Matrix out(2, 4), small(2, 3);
  CHECK_THROWS_AS(Dot{}.score(q, k, out), ShapeError);
  CHECK_THROWS_AS(Cosine{}.score(q, fit, small), ShapeError);
  CHECK_THROWS_AS(Euclidean{}.score(q, k, out), ShapeError);
  CHECK_NOTHROW(Dot{}.score(q, fit, out));
}

TEST_CASE("non-finite rows are found", "[metric]") {
  Matrix rows = random_rows(3, 10, 1);
  CHECK(first_non_finite_row(rows) == -1);
  rows(2, 9) = std::numeric_limits<float>::infinity();
  CHECK(first_non_finite_row(rows) == 2);
  rows(1, 0) = std::numeric_limits<float>::quiet_NaN();
  CHECK(first_non_finite_row(rows) == 1);
  CHECK_THROWS_AS(require_finite("test", rows), NonFiniteError);
}
