#include "knnbert/evaluate/evaluation.hpp"

#include "catch.hpp"
#include "knnbert/core/matrix.hpp"
#include "knnbert/evaluate/evaluation_json.hpp"

using namespace knnbert;
using knnbert_test::approx;

namespace {

const std::vector<label_t> evaluation_gold{0, 1, 1, 0};
const float knn[] = {1, 0, 0, 1, 1, 0, 1, 0}, head[] = {.9f, .1f, .2f, .8f, .4f, .6f, .3f, .7f},
            combined[] = {.95f, .05f, .1f, .9f, .3f, .7f, .6f, .4f};

Evaluation example() {
  return evaluate(evaluation_gold, {ConstView(knn, 4, 2), ConstView(head, 4, 2), ConstView(combined, 4, 2)},
                  {"no", "yes"});
}

}  // namespace

TEST_CASE("an evaluation measures each predictor on its own") {
  const auto evaluation = example();
  CHECK(evaluation.n == 4);
  CHECK(evaluation.knn.accuracy.value == 0.75);
  CHECK(evaluation.head.accuracy.value == 0.75);
  CHECK(evaluation.combined.accuracy.value == 1);
  CHECK(evaluation.knn.confusion(1, 0) == 1);
  CHECK(evaluation.head.confusion(0, 1) == 1);
  CHECK(evaluation.knn.macro_f1.value == approx((4.0 / 5 + 2.0 / 3) / 2).epsilon(1e-12));
  CHECK(evaluation.knn.matthews.value == approx(4 / std::sqrt(48.0)).epsilon(1e-12));
  CHECK(evaluation.knn.calibration.floored == 1);
  CHECK(evaluation.head.calibration.brier.value == approx((0.02 + 0.08 + 0.32 + 0.98) / 4));
}

TEST_CASE("the JSON starts as documented") {
  const std::string text = to_json(example()).dump();
  const std::string start = R"({"n":4,"accuracy":{"knn":0.75,"head":0.75,"combined":1.0},"macro_f1":{"knn":)";
  CHECK(text.substr(0, start.size()) == start);
  std::vector<std::string> keys;
  const auto json = to_json(example());
  for (const auto& item : json.items()) keys.push_back(item.key());
  CHECK(keys == std::vector<std::string>{"n", "accuracy", "macro_f1", "mcc", "f1", "positive", "classes", "per_class",
                                         "confusion", "calibration"});
}

TEST_CASE("the JSON holds counts, scores and calibration") {
  const auto json = to_json(example());
  CHECK(json["confusion"]["knn"].dump() == "[[2,0],[1,1]]");
  CHECK(json["f1"]["knn"].get<double>() == approx(2.0 / 3));
  CHECK(json["positive"] == "yes");
  auto other = example();
  other.positive = 0;
  CHECK(to_json(other)["f1"]["knn"].get<double>() == approx(4.0 / 5));
  CHECK(to_json(other)["positive"] == "no");
  CHECK(json["per_class"]["head"][1]["class"] == "yes");
  CHECK(json["per_class"]["head"][1]["precision"].get<double>() == approx(2.0 / 3));
  CHECK(json["per_class"]["head"][1]["support"] == 2);
  CHECK(json["per_class"]["head"][1]["predicted"] == 3);
  CHECK_FALSE(json["per_class"]["head"][1].contains("undefined"));
  CHECK(json["calibration"]["knn"]["floored"] == 1);
  CHECK(json["calibration"]["head"]["bins"].size() == 15);
}

TEST_CASE("the JSON of many classes has the counts that are not 0") {
  CHECK_FALSE(to_json(example()).contains("confusion_cells"));
  const auto json = to_json(example(), 1);
  CHECK_FALSE(json.contains("confusion"));
  CHECK(json["confusion_cells"]["knn"].dump() == "[[0,0,2],[1,0,1],[1,1,1]]");
  CHECK(json["confusion_cells"]["combined"].dump() == "[[0,0,2],[1,1,2]]");
  Matrix sure(1, 1001);
  sure.fill(0), sure(0, 1000) = 1;
  const auto many = evaluate(std::vector<label_t>{3}, {sure, sure, sure}, std::vector<std::string>(1001, "name"));
  CHECK(to_json(many)["confusion_cells"]["head"].dump() == "[[3,1000,1]]");
}

TEST_CASE("the JSON names what is undefined") {
  const float sure[] = {0, 1, 0};
  const ConstView row(sure, 1, 3);
  const auto json = to_json(evaluate(std::vector<label_t>{1}, {row, row, row}, {"a", "b", "c"}));
  CHECK(json["undefined"].dump() == R"(["mcc.knn","mcc.head","mcc.combined"])");
  CHECK(json["mcc"]["knn"] == 0.0);
  CHECK(json["per_class"]["knn"][0]["undefined"].dump() == R"(["precision","recall","f1"])");
  CHECK_FALSE(json.contains("f1"));
  const ConstView none(sure, 0, 3);
  const auto empty = to_json(evaluate(std::span<const label_t>{}, {none, none, none}, {"a", "b", "c"}));
  CHECK(empty["n"] == 0);
  CHECK(empty["undefined"].size() == 9);
}

TEST_CASE("an evaluation refuses shapes that do not fit") {
  const ConstView fits(knn, 4, 2), rows(knn, 3, 2), cols(knn, 4, 1);
  CHECK_THROWS_AS(evaluate(evaluation_gold, {fits, rows, fits}, {"no", "yes"}), ShapeError);
  CHECK_THROWS_AS(evaluate(evaluation_gold, {fits, fits, cols}, {"no", "yes"}), ShapeError);
  CHECK_THROWS_AS(evaluate(evaluation_gold, {fits, fits, fits}, {"no", "yes", "maybe"}), ShapeError);
  CHECK_THROWS_AS(evaluate(std::vector<label_t>{0, 1, 2, 0}, {fits, fits, fits}, {"no", "yes"}), ShapeError);
}
