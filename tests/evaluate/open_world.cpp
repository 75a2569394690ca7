#include "knnbert/evaluate/open_world.hpp"

#include "catch.hpp"
#include "knnbert/evaluate/open_world_json.hpp"
#include "model/tiny_model.hpp"

using namespace knnbert;
using namespace knnbert_test;

TEST_CASE("open world: shares of what a rule accepts and rejects") {
  const RejectionRule rule{.threshold = 0.5f};
  const std::vector<float> in{0.1f, 0.5f, 0.6f, 0.2f, 0.3f}, out{0.9f, 0.7f, 0.4f};
  const auto q = measure_rejection(rule, in, {true, false, true, true, true}, out);
  CHECK(q.coverage.value == approx(4 / 5.0));  // 0.5 itself is accepted
  CHECK(q.accepted_accuracy.value == approx(3 / 4.0));
  CHECK(q.in_scope_accuracy.value == approx(3 / 5.0));
  CHECK(q.recall.value == approx(2 / 3.0));
  CHECK(q.precision.value == approx(2 / 3.0));
  CHECK(q.f1.value == approx(2 / 3.0));
  const auto all = measure_rejection({.threshold = -1}, in, {true, true, true, true, true}, {});
  CHECK(all.coverage.value == 0);
  for (const Ratio& r : {all.accepted_accuracy, all.recall, all.precision, all.f1}) CHECK_FALSE(r.defined);
  CHECK_THROWS_AS(measure_rejection(rule, in, {true}, out), ShapeError);
}

TEST_CASE("open world: a model is measured on texts of its classes and on others, that it need not know") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  std::vector<Example> examples;
  for (index_t i = 0; i < 12; ++i) examples.push_back(tiny_data().example(i));
  for (const char* text : {"zyx", "hello hello hello ?"}) examples.push_back({.text = text, .label = 3});
  const auto [known, others] = split_off(Dataset(examples, {"card", "money", "rate", "oos"}), "oos");
  CHECK(known.size() == 12);
  CHECK(others.size() == 2);
  CHECK_THROWS_AS(split_off(known, "weather"), OptionError);
  const Judged judged = judge(model, known);
  const Answers far = model.answers(model.tokenize(others.texts()));
  const auto world = open_world(model, judged, far);
  CHECK(world.in_scope == 12);
  CHECK(world.out_of_scope == 2);
  CHECK(world.scores.size() == 4);
  CHECK(world.scores[0].score == ScopeScore::neighbors);
  CHECK(world.scores[0].auroc.value == 1);  // examples of the datastore are their own neighbors
  CHECK_FALSE(world.rule);
  CHECK_FALSE(to_json(world).contains("f1"));
  model.set_head_trained(false);
  CHECK(open_world(model, judged, far).scores.size() == 3);
  model.decision().rejection = {.score = ScopeScore::neighbors, .threshold = -0.9999f};
  const auto ruled = open_world(model, judged, far);
  CHECK(ruled.quality.coverage.value == 1);
  CHECK(ruled.quality.recall.value == 1);
  CHECK(to_json(ruled).at("f1") == 1);
  const auto closed = open_world(model, judged, model.answers(Batch{}));
  CHECK(closed.scores.empty());
  CHECK(to_json(closed).at("recall").is_null());
  model.remove(model.datastore().ids());
  CHECK_FALSE(open_world(std::as_const(model), judge(std::as_const(model), known), model.answers(Batch{})).rule);
}
