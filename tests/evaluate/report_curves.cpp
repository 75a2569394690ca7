#include "knnbert/evaluate/report_curves.hpp"

#include <cmath>

#include "catch.hpp"
#include "knnbert/io/json_value.hpp"

using namespace knnbert;

namespace {

std::vector<OrderedJson> rows(std::initializer_list<const char*> lines) {
  std::vector<OrderedJson> parsed;
  for (const char* line : lines) parsed.push_back(OrderedJson::parse(line));
  return parsed;
}

}  // namespace

TEST_CASE("rows become panels of curves in order of appearance") {
  const auto curves =
      curves_from_rows(rows({R"({"step":10,"epoch":1,"loss":{"total":2.5,"cross_entropy":2},"learning_rate":2e-5})",
                             R"({"step":20,"epoch":1,"loss":{"total":1.5,"cross_entropy":1},"learning_rate":1e-5})",
                             R"({"epoch":1,"accuracy":{"knn":0.9,"head":0.8,"combined":0.95}})"}));
  REQUIRE(curves.size() == 6);
  CHECK(curves[0].panel == "loss");
  CHECK(curves[0].name == "total");
  CHECK(curves[0].axis == "step");
  CHECK(curves[0].points == std::vector<std::pair<double, double>>{{10, 2.5}, {20, 1.5}});
  CHECK(curves[1].name == "cross_entropy");
  CHECK(curves[2].panel == "learning_rate");
  CHECK(curves[2].name == "learning_rate");
  CHECK(curves[3].panel == "accuracy");
  CHECK(curves[3].axis == "epoch");
  CHECK(curves[5].name == "combined");
  CHECK(curves[5].points == std::vector<std::pair<double, double>>{{1, 0.95}});
}

TEST_CASE("null is a gap; texts, lists, skipped keys and rows that are no objects are ignored") {
  const auto lines = rows({R"({"loss":null,"note":"x","list":[1],"seconds":3})", R"(7)", R"({"loss":1})"});
  const auto curves = curves_from_rows(lines, {"seconds"});
  REQUIRE(curves.size() == 1);
  CHECK(curves[0].axis == "row");
  REQUIRE(curves[0].points.size() == 2);
  CHECK(std::isnan(curves[0].points[0].second));
  CHECK(curves[0].points[1] == std::pair<double, double>{2, 1});
  CHECK(curves_from_rows(std::vector<Json>{}).empty());
}
