// Scores of sets of classes and of numbers; expected values: scikit-learn 1.9 and scipy.
#include "knnbert/evaluate/targets.hpp"

#include "catch.hpp"
#include "knnbert/core/matrix.hpp"

using namespace knnbert;
using knnbert_test::approx;

namespace {

const float gold_targets[] = {1, 0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0};
const float answers[] = {.75f, .25f,   .5f,   .125f, .375f,  .25f,   .625f, .4375f, .5625f,
                         .5f,  .3125f, .125f, .25f,  .0625f, .4375f, .375f, .5f,    .1875f};
const ConstView truth(gold_targets, 6, 3), told(answers, 6, 3);

}  // namespace

TEST_CASE("sets of classes: micro and macro F1 and subset accuracy are scikit-learn's") {
  const std::vector<float> halves(3, 0.5f);
  const auto scores = multi_label_scores(truth, told, halves);
  CHECK(scores.micro_f1.value == approx(0.46153846153846156).epsilon(1e-12));
  CHECK(scores.macro_f1.value == approx(0.38888888888888884).epsilon(1e-12));
  CHECK(scores.subset_accuracy.value == approx(1.0 / 3).epsilon(1e-12));
  REQUIRE(scores.per_class.size() == 3);
  CHECK(scores.per_class[0].f1.value == approx(2.0 / 3));
  CHECK(scores.per_class[1].f1.value == 0);
  CHECK(scores.per_class[2].support == 2);
  CHECK_THROWS_AS(multi_label_scores(truth, told, std::vector<float>(2, 0.5f)), ShapeError);
  const auto none = multi_label_scores(ConstView(gold_targets, 0, 3), ConstView(gold_targets, 0, 3), halves);
  CHECK_FALSE((none.micro_f1.defined || none.macro_f1.defined || none.subset_accuracy.defined));
}

TEST_CASE("sets of classes: thresholds reach the highest F1 that a search over all of them finds") {
  const auto thresholds = best_thresholds(truth, told);
  CHECK(thresholds == std::vector<float>{0.3125f, 0.28125f, 0.34375f});
  const auto best = multi_label_scores(truth, told, thresholds);
  CHECK(best.per_class[0].f1.value == approx(0.8571428571428571));
  CHECK(best.per_class[1].f1.value == approx(0.6666666666666666));
  CHECK(best.per_class[2].f1.value == approx(0.8));
  // 0.5 where nothing is better, and for a class without an example.
  const float clear[] = {.9f, .3f, .2f, .8f}, its_gold[] = {1, 0, 0, 0};
  CHECK(best_thresholds(ConstView(its_gold, 2, 2), ConstView(clear, 2, 2)) == std::vector<float>{0.5f, 0.5f});
}

TEST_CASE("sets of classes: a threshold lies above the probability that it excludes, also of neighbors among floats") {
  const float gold[] = {1, 0};
  float above = 1;
  for (int i = 0; i < 100; ++i) {
    const float below = std::nextafter(above, 0.0f), both[] = {above, below};
    const auto thresholds = best_thresholds(ConstView(gold, 2, 1), ConstView(both, 2, 1));
    CHECK(multi_label_scores(ConstView(gold, 2, 1), ConstView(both, 2, 1), thresholds).per_class[0].f1.value == 1);
    above = below;
  }
}

TEST_CASE("sets of classes: probabilities that are no numbers are refused") {
  Matrix gold(2, 1), probabilities(2, 1);
  gold(0, 0) = 1, gold(1, 0) = 0;
  probabilities(0, 0) = 0.5f, probabilities(1, 0) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(best_thresholds(gold, probabilities), Error);
  CHECK_THROWS_AS(multi_label_scores(gold, probabilities, std::vector<float>{0.5f}), Error);
}

TEST_CASE("numbers: Pearson, Spearman and the root of the mean squared error") {
  const float x[] = {1, 2.5f, 3, 4, 4}, y[] = {1.5f, 2, 3.5f, 3, 5};
  const auto scores = regression_scores(ConstView(x, 5, 1), ConstView(y, 5, 1));
  CHECK(scores.pearson.value == approx(0.806559132617443).epsilon(1e-12));
  CHECK(scores.spearman.value == approx(0.8207826816681234).epsilon(1e-12));
  CHECK(scores.root_mean_square_error == approx(0.7416198487095663).epsilon(1e-12));
  CHECK_THROWS_AS(regression_scores(ConstView(x, 5, 1), ConstView(y, 4, 1)), ShapeError);
}
