#include "knnbert/evaluate/metrics.hpp"

#include "catch.hpp"

using namespace knnbert;
using knnbert_test::approx;

namespace {

const std::vector<label_t> gold{0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2}, predicted{0, 0, 1, 2, 1, 1, 0, 2, 2, 2, 1, 2};

}  // namespace

TEST_CASE("argmax takes the lowest index among equals") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  CHECK(argmax(std::vector{0.2f, 0.4f, 0.4f}) == 1);
  CHECK(argmax(std::vector{3.0f, 3.0f}) == 0);
  CHECK(argmax(std::vector{-2.0f, -1.0f, -3.0f}) == 1);
  CHECK(argmax(std::vector{nan, 0.1f, nan, 0.3f}) == 3);
  CHECK(argmax(std::vector{nan, nan}) == 0);
  CHECK(argmax(std::vector{-infinity, -infinity}) == 0);
  CHECK_THROWS_AS(argmax(std::span<const float>{}), ShapeError);
}

TEST_CASE("argmax of rows ignores the padding of a view") {
  const float scores[] = {1, 2, 9, 5, 4, 9};
  CHECK(argmax_rows(ConstView(scores, 2, 2, 3)) == std::vector<label_t>{1, 0});
}

TEST_CASE("a confusion matrix counts gold rows and predicted columns") {
  const ConfusionMatrix counts(gold, predicted, 5);
  const index_t expected[3][3] = {{2, 1, 1}, {1, 2, 0}, {0, 1, 4}};
  for (index_t g = 0; g < 5; ++g)
    for (index_t p = 0; p < 5; ++p) CHECK(counts(g, p) == (g < 3 && p < 3 ? expected[g][p] : 0));
  CHECK(counts.total() == 12);
  CHECK(counts.correct() == 8);
  CHECK(counts.gold_count(0) == 4);
  CHECK(counts.predicted_count(0) == 3);
}

TEST_CASE("a confusion matrix takes memory for what occurs, not for pairs of classes") {
  ConfusionMatrix counts(1'000'000);
  counts.add(999'999, 5), counts.add(7, 7), counts.add(999'999, 5);
  CHECK(counts(999'999, 5) == 2);
  CHECK(counts(5, 999'999) == 0);
  REQUIRE(counts.cells().size() == 2);
  CHECK(counts.cells().begin()->first == std::pair(7, 7));
  CHECK(accuracy(counts).value == approx(1.0 / 3));
}

TEST_CASE("a confusion matrix refuses labels that do not exist") {
  ConfusionMatrix counts(2);
  CHECK_THROWS_AS(counts.add(2, 0), ShapeError);
  CHECK_THROWS_AS(counts.add(0, 2), ShapeError);
  CHECK_THROWS_AS(counts.add(-1, 0), ShapeError);
  CHECK(counts.total() == 0);
  CHECK_THROWS_AS(ConfusionMatrix(gold, std::vector<label_t>{0}, 3), ShapeError);
  CHECK_THROWS_AS(ConfusionMatrix(-1), OptionError);
}

TEST_CASE("accuracy, precision, recall and F1 agree with a count by hand") {
  const ConfusionMatrix counts(gold, predicted, 5);
  CHECK(accuracy(counts).value == approx(8.0 / 12));
  CHECK(accuracy(gold, predicted).value == approx(8.0 / 12));
  const auto scores = class_scores(counts);
  REQUIRE(scores.size() == 5);
  CHECK(scores[0].precision.value == approx(2.0 / 3));
  CHECK(scores[0].recall.value == approx(2.0 / 4));
  CHECK(scores[0].f1.value == approx(4.0 / 7));
  CHECK(scores[1].precision.value == approx(2.0 / 4));
  CHECK(scores[1].recall.value == approx(2.0 / 3));
  CHECK(scores[2].f1.value == approx(0.8));
  CHECK(scores[2].support == 5);
  CHECK(scores[2].predicted == 5);
  CHECK(f1(counts).value == approx(4.0 / 7));
  CHECK(f1(counts, 2).value == approx(0.8));
  CHECK_THROWS_AS(f1(counts, 5), ShapeError);
}

TEST_CASE("macro F1 averages over the classes that occur") {
  CHECK(macro_f1(ConfusionMatrix(gold, predicted, 5)).value == approx(0.6476190476190476).epsilon(1e-12));
  // Class 2 occurs among the predictions only and counts with 0.
  const std::vector<label_t> truth{0, 0, 1, 1}, guess{0, 0, 1, 2};
  CHECK(macro_f1(ConfusionMatrix(truth, guess, 9)).value == approx((1 + 2.0 / 3 + 0) / 3).epsilon(1e-12));
}

TEST_CASE("Matthews correlation of several classes and of two") {
  CHECK(matthews(ConfusionMatrix(gold, predicted, 5)).value == approx(0.5).epsilon(1e-12));
  // TP 3, TN 2, FP 1, FN 2: (3*2 - 1*2) / sqrt(4*5*3*4)
  const std::vector<label_t> truth{1, 1, 1, 1, 1, 0, 0, 0}, guess{1, 1, 1, 0, 0, 0, 0, 1};
  CHECK(matthews(ConfusionMatrix(truth, guess, 2)).value == approx(4 / std::sqrt(240.0)).epsilon(1e-12));
  const std::vector<label_t> opposite{0, 0, 0, 0, 0, 1, 1, 1};
  CHECK(matthews(ConfusionMatrix(truth, opposite, 2)).value == approx(-1).epsilon(1e-12));
}

/// scikit-learn 1.9: accuracy_score, f1_score, f1_score(average='macro'), matthews_corrcoef.
TEST_CASE("scores by name agree with scikit-learn") {
  const std::vector<label_t> truth{1, 1, 1, 1, 1, 0, 0, 0}, guess{1, 1, 1, 0, 0, 0, 0, 1};
  const ConfusionMatrix counts(truth, guess, 2);
  CHECK(score_of(counts, Score::accuracy).value == 0.625);
  CHECK(score_of(counts, Score::f1).value == approx(0.6666666666666666).epsilon(1e-12));
  CHECK(score_of(counts, Score::f1, 0).value == approx(0.5714285714285714).epsilon(1e-12));
  CHECK(score_of(counts, Score::macro_f1).value == approx(0.6190476190476191).epsilon(1e-12));
  CHECK(score_of(counts, Score::matthews).value == approx(0.2581988897471611).epsilon(1e-12));
}

TEST_CASE("zero divided by zero is zero and says so") {
  const ConfusionMatrix nothing(3);
  for (const Ratio r : {accuracy(nothing), macro_f1(nothing), matthews(nothing), f1(nothing, 0)}) {
    CHECK(r.value == 0);
    CHECK_FALSE(r.defined);
  }
  CHECK_FALSE(accuracy(std::vector<label_t>{}, std::vector<label_t>{}).defined);
  const std::vector<label_t> same{1, 1, 1}, other{0, 1, 1};
  const ConfusionMatrix constant(same, other, 3);  // gold never varies
  CHECK_FALSE(matthews(constant).defined);
  CHECK(matthews(constant).value == 0);
  const auto scores = class_scores(constant);
  CHECK_FALSE(scores[0].recall.defined);
  CHECK(scores[0].precision.defined);
  CHECK(scores[0].f1.defined);
  CHECK_FALSE(scores[2].precision.defined);
  CHECK_FALSE(scores[2].f1.defined);
}

TEST_CASE("lists of different lengths are refused") {
  CHECK_THROWS_AS(accuracy(gold, std::vector<label_t>{0}), ShapeError);
}
