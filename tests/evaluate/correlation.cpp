#include "knnbert/evaluate/correlation.hpp"

#include <limits>

#include "catch.hpp"

using namespace knnbert;
using knnbert_test::approx;

namespace {

const std::vector<double> x{2.1, 3.4, 0.5, 3.4, 5.0, 1.0, 4.2}, y{1.9, 2.8, 1.0, 3.9, 4.4, 1.0, 2.8};

}  // namespace

TEST_CASE("Pearson and Spearman agree with values computed elsewhere") {
  CHECK(pearson(x, y).value == approx(0.9207496416895663).epsilon(1e-12));
  CHECK(spearman(x, y).value == approx(0.9082951062292475).epsilon(1e-12));
  CHECK(pearson(x, y).defined);
}

TEST_CASE("ties share their mean rank") {
  CHECK(average_ranks(x) == std::vector<double>{3, 4.5, 1, 4.5, 7, 2, 6});
  CHECK(average_ranks(y) == std::vector<double>{3, 4.5, 1.5, 6, 7, 1.5, 4.5});
  CHECK(average_ranks(std::vector<double>{}).empty());
}

TEST_CASE("Spearman sees order only, Pearson is exact on a line") {
  const std::vector<double> rising{1, 2, 3, 4}, cubes{1, 8, 27, 64}, line{-3, -1, 1, 3}, falling{4, 3, 2, 1};
  CHECK(spearman(rising, cubes).value == approx(1).epsilon(1e-14));
  CHECK(pearson(rising, cubes).value < 0.96);
  CHECK(pearson(rising, line).value == approx(1).epsilon(1e-14));
  CHECK(pearson(rising, line).value <= 1);
  CHECK(spearman(cubes, falling).value == approx(-1).epsilon(1e-14));
}

TEST_CASE("Pearson keeps its digits far from zero") {
  const std::vector<double> a{1e9 + 1, 1e9 + 2, 1e9 + 4}, b{1, 2, 4};
  CHECK(pearson(a, b).value == approx(1).epsilon(1e-9));
}

TEST_CASE("a constant side or too few values leave a correlation undefined") {
  const std::vector<double> constant(7, 0.1), none, one{2};
  for (const Ratio r : {pearson(x, constant), spearman(constant, y), pearson(none, none), pearson(one, one)}) {
    CHECK(r.value == 0);
    CHECK_FALSE(r.defined);
  }
}

TEST_CASE("lengths must match and values must be finite") {
  std::vector<double> broken = y;
  CHECK_THROWS_AS(pearson(x, std::vector<double>{1}), ShapeError);
  broken[3] = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(spearman(x, broken), Error);
  CHECK_THROWS_AS(average_ranks(broken), Error);
  CHECK(average_ranks(std::vector<double>{1, -std::numeric_limits<double>::infinity()}) == std::vector<double>{2, 1});
}
