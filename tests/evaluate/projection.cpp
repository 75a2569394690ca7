#include "knnbert/evaluate/projection.hpp"

#include <limits>

#include "catch.hpp"
#include "knnbert/core/rng.hpp"

using namespace knnbert;
using knnbert_test::approx;

TEST_CASE("the plane agrees with an eigendecomposition computed elsewhere") {
  const float points[] = {2, 1, 0, 0, 3, 1, 4, 0, 2, 1, 1, 5, 3, 2, 2};
  const ConstView view(points, 5, 3);
  const auto plane = fit_plane(view);
  const double axes[2][3] = {{0.046342202588, -0.235287981179, 0.970820254307},
                             {0.852137377728, -0.497829543904, -0.161330823758}};
  for (int a = 0; a < 2; ++a)
    for (std::size_t d = 0; d < 3; ++d) CHECK(plane.axes[a][d] == approx(axes[a][d]).epsilon(1e-9));
  CHECK(plane.explained[0].value == approx(0.4944172899679094).epsilon(1e-12));
  CHECK(plane.explained[1].value == approx(0.4489859173071425).epsilon(1e-12));
  const Matrix map = plane(view);
  REQUIRE(map.rows() == 5);
  REQUIRE(map.cols() == 2);
  CHECK(map(0, 0) == approx(-1.847525316142));
  CHECK(map(3, 0) == approx(2.960233752804));
  CHECK(map(1, 1) == approx(-2.339471201946));
}

TEST_CASE("more rows than a block, and a padded view") {
  const Rng rng(1, Stream::noise);
  Matrix points(700, 4);  // spread 9, 3, 1 and 0 along the columns 2, 0, 3 and 1
  for (index_t i = 0; i < 700; ++i) {
    points(i, 2) = static_cast<float>(9 * rng.normal(3 * i)) + 50;
    points(i, 0) = static_cast<float>(3 * rng.normal(3 * i + 1));
    points(i, 3) = static_cast<float>(rng.normal(3 * i + 2));
    points(i, 1) = -7;
  }
  const auto plane = fit_plane(points);
  CHECK(plane.axes[0][2] == approx(1).epsilon(0.01));
  CHECK(plane.axes[1][0] == approx(1).epsilon(0.01));
  CHECK(plane.explained[0].value == approx(81.0 / 91).epsilon(0.03));
  const Matrix map = plane(points);
  double sum = 0;
  for (index_t i = 0; i < 700; ++i) sum += map(i, 0);
  CHECK(std::abs(sum / 700) < 1e-4);
}

TEST_CASE("degenerate point sets have a map") {
  const float points[] = {3, 4, 3, 4};
  const auto same = fit_plane(ConstView(points, 2, 2));
  CHECK_FALSE(same.explained[0].defined);
  CHECK(same(ConstView(points, 2, 2))(1, 0) == 0);
  const auto line = fit_plane(ConstView(points, 4, 1));
  CHECK(line.axes[0][0] == 1);
  CHECK(line.axes[1][0] == 0);
  CHECK(line.explained[0].value == approx(1));
  CHECK(line(ConstView(points, 4, 1))(0, 0) == approx(-0.5));
  CHECK(line(ConstView(points, 4, 1))(0, 1) == 0);
  CHECK(fit_plane(ConstView(points, 0, 2))(ConstView(points, 0, 2)).rows() == 0);
  CHECK(fit_plane(ConstView(points, 2, 0))(ConstView(points, 2, 0)).rows() == 2);
}

TEST_CASE("a projection refuses other widths and values that are not finite") {
  const float points[] = {3, 4, std::numeric_limits<float>::quiet_NaN(), 4};
  CHECK_THROWS_AS(fit_plane(ConstView(points, 2, 2)), Error);
  const auto plane = fit_plane(ConstView(points, 1, 2));
  CHECK_THROWS_AS(plane(ConstView(points, 4, 1)), ShapeError);
}
