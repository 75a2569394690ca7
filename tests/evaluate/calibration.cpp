#include "knnbert/evaluate/calibration.hpp"

#include "catch.hpp"
#include "knnbert/evaluate/temperature.hpp"

using namespace knnbert;
using knnbert_test::approx;

namespace {

const float probabilities[] = {.7f,  .2f,  .1f, .5f,  .3f, .2f,  .1f, .8f, .1f, .25f, .35f, .4f,
                               .05f, .05f, .9f, .45f, .1f, .45f, 0.f, 1.f, 0.f, .6f,  .3f,  .1f};
const std::vector<label_t> calibration_gold{0, 1, 1, 2, 2, 2, 0, 0};
const ConstView view(probabilities, 8, 3);

}  // namespace

TEST_CASE("reliability bins hold what lies in (lower, upper]") {
  const auto bins = reliability_curve(view, calibration_gold, 5);
  REQUIRE(bins.size() == 5);
  const index_t counts[] = {0, 0, 3, 2, 3};
  for (std::size_t b = 0; b < 5; ++b) CHECK(bins[b].count == counts[b]);
  CHECK(bins[0].confidence == 0);
  CHECK(bins[2].confidence == approx(0.45));
  CHECK(bins[2].accuracy == approx(1.0 / 3));  // the tie of row 5 goes to class 0
  CHECK(bins[3].confidence == approx(0.65));
  CHECK(bins[3].accuracy == approx(1));
  CHECK(bins[4].confidence == approx(0.9));
  CHECK(bins[4].accuracy == approx(2.0 / 3));
  CHECK(bins[4].lower == approx(0.8));
  CHECK(bins[4].upper == approx(1));
}

TEST_CASE("calibration error, Brier score and log loss agree with values computed elsewhere") {
  const auto calibration = measure_calibration(view, calibration_gold, 5);
  CHECK(calibration.expected_error.value == approx(0.21874999627470973).epsilon(1e-9));
  CHECK(calibration.brier.value == approx(0.5393749967031183).epsilon(1e-9));
  CHECK(calibration.negative_log_likelihood.value == approx(2.5071451225887484).epsilon(1e-9));
  CHECK(calibration.floored == 1);
}

TEST_CASE("certain predictions") {
  const float certain[] = {1, 0, 0, 1};
  const auto right = measure_calibration(ConstView(certain, 2, 2), std::vector<label_t>{0, 1});
  CHECK(right.expected_error.value == 0);
  CHECK(right.brier.value == 0);
  CHECK(right.negative_log_likelihood.value == 0);
  CHECK(right.bins.back().count == 2);
  const auto wrong = measure_calibration(ConstView(certain, 2, 2), std::vector<label_t>{1, 0});
  CHECK(wrong.expected_error.value == 1);
  CHECK(wrong.brier.value == 2);
  CHECK(wrong.floored == 2);
}

TEST_CASE("calibration of nothing is undefined") {
  const auto calibration = measure_calibration(ConstView(probabilities, 0, 3), {});
  CHECK_FALSE(calibration.expected_error.defined);
  CHECK_FALSE(calibration.brier.defined);
  CHECK(calibration.bins.size() == 15);
}

TEST_CASE("what is no distribution is refused") {
  const float logits[] = {2, -1}, short_sum[] = {.4f, .4f}, nan[] = {1, std::numeric_limits<float>::quiet_NaN()};
  const std::vector<label_t> zero{0};
  CHECK_THROWS_AS(measure_calibration(ConstView(logits, 1, 2), zero), Error);
  CHECK_THROWS_AS(measure_calibration(ConstView(short_sum, 1, 2), zero), Error);
  CHECK_THROWS_AS(measure_calibration(ConstView(nan, 1, 2), zero), Error);
  CHECK_THROWS_AS(measure_calibration(view, zero), ShapeError);
  CHECK_THROWS_AS(measure_calibration(view.row_range(0, 1), std::vector<label_t>{3}), ShapeError);
  CHECK_THROWS_AS(reliability_curve(view, calibration_gold, 0), OptionError);
}

TEST_CASE("the fitted temperature minimizes the loss") {
  const float logits[] = {4, 1, 0, 3, 2.5f, 0, 0, 5, 1, 2, 0, 3, 6, 0, 1, 0, 1, 4, 1, 3, 2, 5, 0, 0};
  const std::vector<label_t> labels{0, 1, 1, 2, 0, 2, 2, 0};
  const auto fitted = fit_temperature(ConstView(logits, 8, 3), labels);
  CHECK(fitted.value == approx(0.9411182606460052).epsilon(1e-6));
  CHECK(fitted.loss_before.value == approx(0.36753602094021426).epsilon(1e-9));
  CHECK(fitted.loss_after.value == approx(0.36678254226555).epsilon(1e-9));
}

TEST_CASE("labels that ask for an endless temperature get an end of the range") {
  const float logits[] = {1, 0, 0, 1};
  CHECK(fit_temperature(ConstView(logits, 2, 2), std::vector<label_t>{0, 1}).value == approx(0.01).epsilon(1e-6));
  CHECK(fit_temperature(ConstView(logits, 2, 2), std::vector<label_t>{1, 0}).value == approx(100).epsilon(1e-6));
  const float far[] = {300, 0, 0, 300};
  CHECK(fit_temperature(ConstView(far, 2, 2), std::vector<label_t>{0, 1}).value == approx(0.01).epsilon(1e-6));
  CHECK(fit_temperature(ConstView(logits, 0, 2), {}).value == 1);
  CHECK(fit_temperature(ConstView(logits, 4, 1), std::vector<label_t>{0, 0, 0, 0}).value == 1);
  CHECK_THROWS_AS(fit_temperature(ConstView(logits, 2, 2), std::vector<label_t>{0}), ShapeError);
  CHECK_THROWS_AS(fit_temperature(ConstView(logits, 2, 2), std::vector<label_t>{0, 2}), ShapeError);
  const float infinite[] = {std::numeric_limits<float>::infinity(), 0};
  CHECK_THROWS_AS(fit_temperature(ConstView(infinite, 1, 2), std::vector<label_t>{0}), Error);
}

TEST_CASE("a temperature softens and does not overflow") {
  float row[] = {3, 2.5f, 0, 3000, 0, -3000};
  apply_temperature(2, View(row, 2, 3));
  CHECK(row[0] == approx(0.499517729813));
  CHECK(row[1] == approx(0.389024799137));
  CHECK(row[2] == approx(0.11145747105));
  CHECK(row[3] == 1);
  CHECK(row[5] == 0);
}
