#include "knnbert/evaluate/calibrate.hpp"

#include "catch.hpp"
#include "model/tiny_model.hpp"

using namespace knnbert;
using namespace knnbert_test;

namespace {

constexpr ScopeScore all_scores[] = {ScopeScore::neighbors, ScopeScore::class_mean, ScopeScore::max_probability,
                                     ScopeScore::energy};

Dataset held_out_data() { return tiny_data(200, 11).drop_duplicates_of(tiny_data()); }

}  // namespace

TEST_CASE("calibrate: a model keeps the temperature and the threshold that held-out texts give") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  const Dataset data = held_out_data();
  const Judged before = judge(model, data);
  for (const ScopeScore score : all_scores) {
    CAPTURE(name_of(score));
    const CalibrationReport report = calibrate(model, data, {.score = score, .coverage = 0.9});
    CHECK(report.held_out == data.size());
    CHECK(report.known == 0);
    CHECK_FALSE(report.phi);
    CHECK(report.error_before.value == before.evaluation.combined.calibration.expected_error.value);
    CHECK(report.temperature.loss_after.value < report.temperature.loss_before.value);
    CHECK(report.temperature.loss_before.value ==
          approx(before.evaluation.combined.calibration.negative_log_likelihood.value).epsilon(1e-4));
    CHECK(model.decision().temperature == static_cast<float>(report.temperature.value));
    const auto& rule = model.decision().rejection;
    REQUIRE(rule);
    CHECK(rule->score == score);
    CHECK(rule->coverage == 0.9f);
    CHECK(rule->held_out == data.size());
    CHECK(rule->threshold == conformal_threshold(model.scope_scores(score, before.answers), 0.9));
    CHECK(report.accepted.value >= 0.9);
    index_t accepted = 0;
    for (const auto& p : model.predict(data.texts())) accepted += !p.rejection;
    CHECK(report.accepted.value == approx(static_cast<double>(accepted) / static_cast<double>(data.size())));
    const Judged after = judge(model, data);  // what was calibrated before does not enter the next calibration
    CHECK(after.evaluation.combined.accuracy.value == before.evaluation.combined.accuracy.value);
    CHECK(report.error_after.value == approx(after.evaluation.combined.calibration.expected_error.value).epsilon(1e-6));
  }
}

TEST_CASE("calibrate: phi is the one with the least loss, and stays where it was unless asked") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  model.fusion().phi = 0.4f;
  calibrate(model, held_out_data(), {.coverage = 0.9});
  CHECK(model.fusion().phi == 0.4f);
  const auto report = calibrate(model, held_out_data(), {.coverage = 0.9, .choose_phi = true});
  REQUIRE(report.phi);
  CHECK(*report.phi == model.fusion().phi);
  CHECK(*report.phi > 0.5f);  // the neighbors know the classes, the random head does not
  for (const float phi : {0.0f, 0.25f, 0.5f, 1.0f}) {
    model.fusion().phi = phi;
    CHECK(calibrate(model, held_out_data(), {.coverage = 0.9}).temperature.loss_after.value >=
          report.temperature.loss_after.value);
  }
}

TEST_CASE("calibrate: texts that the datastore holds are counted, for they promise nothing") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  CHECK(calibrate(model, tiny_data(), {.coverage = 0.9}).known == 40);
}

TEST_CASE("calibrate: a failure says what is wrong and changes nothing") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  CHECK_THROWS_AS(calibrate(model, held_out_data()), StateError);  // no examples
  CHECK_THROWS_AS(calibrate(model, held_out_data(), {.score = ScopeScore::class_mean}), StateError);
  model.index(tiny_data());
  model.fusion().phi = 0.3f;
  model.decision() = {.temperature = 2, .rejection = RejectionRule{.threshold = -0.5f}};
  CHECK_THROWS_AS(calibrate(model, Dataset({}, {"card"})), FormatError);
  CHECK_THROWS_AS(calibrate(model, Dataset({{.text = "card", .label = 0}}, {"weather"})), FormatError);
  CHECK_THROWS_AS(calibrate(model, Dataset({{.text = "card"}}, {"card"})), ShapeError);
  CHECK(contains(message_of<ShapeError>([&] { calibrate(model, tiny_data(18), {.choose_phi = true}); }),
                 "18 held-out texts given, at least 19 expected for a coverage of 0.95"));
  CHECK_THROWS_AS(calibrate(model, held_out_data(), {.coverage = 1}), OptionError);
  CHECK_THROWS_AS(calibrate(model, held_out_data(), {.score = ScopeScore::max_probability, .choose_phi = true}),
                  OptionError);
  model.set_head_trained(false);
  CHECK_THROWS_AS(calibrate(model, held_out_data(), {.score = ScopeScore::energy}), StateError);
  CHECK_THROWS_AS(calibrate(model, held_out_data(), {.choose_phi = true}), OptionError);
  CHECK(model.fusion().phi == 0.3f);
  CHECK(model.decision().temperature == 2);
  CHECK(model.decision().rejection->threshold == -0.5f);
}

TEST_CASE("calibrate: one class is enough") {
  const TemporaryFolder folder;
  write_encoder(folder / "encoder");
  Classifier<> model(folder / "encoder", {"card"}, tiny_options());
  model.index(Dataset({{.text = "card", .label = 0}, {.text = "pin", .label = 0}}, {"card"}));
  std::vector<Example> examples;
  for (int i = 0; i < 20; ++i) examples.push_back({.text = i % 2 ? "lost card" : "my pin", .label = 0});
  const auto report = calibrate(model, Dataset(examples, {"card"}));
  CHECK(report.temperature.value == 1);
  CHECK(report.error_after.value == 0);
  CHECK_FALSE(model.predict("lost card").rejection);
}
