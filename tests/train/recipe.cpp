// The recipe: bounds at the extremes, monotone in between, and what was given decides what follows from it.
#include "knnbert/train/recipe.hpp"

#include "catch.hpp"

using namespace knnbert;

namespace {

TrainingFacts facts(index_t examples, index_t classes) { return {examples, classes}; }

index_t steps(const Recipe& r, index_t examples) {
  return r.trainer.epochs * ((examples + r.trainer.batch_size - 1) / r.trainer.batch_size);
}

}  // namespace

TEST_CASE("every recipe is one that the trainer takes", "[recipe]") {
  for (const index_t examples : {1, 2, 10, 16, 48, 616, 2499, 2500, 10000, 100000, 10000000})
    for (const index_t classes : {1, 2, 6, 150})
      for (const index_t width : {1, 128, 384, 768, 1024, 8192}) {
        if (classes > examples) continue;
        TrainingFacts f = facts(examples, classes);
        f.width = width;
        const Recipe r = recommended(f);
        r.trainer.validate();
        r.contrastive.contrast.validate();
        CHECK(r.steps == steps(r, examples));
        CHECK(r.steps >= 200);
        CHECK(r.trainer.epochs <= std::max<index_t>(200, 320));
        CHECK((r.trainer.learning_rate > 0 && r.trainer.learning_rate <= 1e-4f));
        CHECK(r.trainer.head_learning_rate > r.trainer.learning_rate);
        CHECK((r.contrastive.weight > 0 && r.contrastive.weight <= 0.5f));
        CHECK((r.contrastive.momentum >= 0.9f && r.contrastive.momentum <= 0.999f));
        CHECK((r.contrastive.capacity >= 1 && r.contrastive.capacity <= 32000));
        CHECK(r.contrastive.positives <= 2);  // the time of cross entropy, at most twice
        CHECK((r.neighbors >= 3 && r.neighbors <= std::max<index_t>(3, f.per_class()) && r.neighbors <= 30));
      }
}

TEST_CASE("a large set gets one epoch, a small one enough steps, and none more epochs than a smaller one", "[recipe]") {
  CHECK(recommended(facts(1000000, 10)).trainer.epochs == 1);
  CHECK(recommended(facts(10000, 77)).trainer.epochs == 3);
  CHECK(recommended(facts(48, 6)).steps >= 200);
  CHECK(recommended(facts(48, 6)).steps < 400);
  CHECK(recommended(facts(1, 1)).steps <= 400);
  Recipe before = recommended(facts(1, 1));
  for (index_t examples = 2; examples < 200000; examples += 1 + examples / 7) {
    const Recipe r = recommended(facts(examples, 2 < examples ? 2 : 1));
    CAPTURE(examples);
    CHECK(r.trainer.epochs <= before.trainer.epochs);
    CHECK(r.contrastive.weight <= before.contrastive.weight);
    CHECK(r.contrastive.capacity >= before.contrastive.capacity);
    before = r;
  }
}

TEST_CASE("few texts of few classes: the contrast of a batch, if it holds several of a class", "[recipe]") {
  for (const auto& [examples, classes] : {std::pair<index_t, index_t>{4, 2}, {12, 6}, {48, 6}, {32, 2}, {64, 8}}) {
    const Recipe r = recommended(facts(examples, classes));
    CAPTURE(examples, classes);
    REQUIRE(r.in_batch);
    CHECK(r.in_batch->learning_rate == r.trainer.learning_rate / 2);
    CHECK(r.in_batch->head_learning_rate == knnbert_test::approx(10 * r.in_batch->learning_rate));
    CHECK((r.in_batch->weight == 0.9f && r.in_batch->temperature == 0.3f));
    const index_t steps_an_epoch = (examples + 15) / 16, steps = r.in_batch->epochs * steps_an_epoch;
    CHECK((steps >= 100 && steps < 100 + steps_an_epoch));
    CHECK(recommended(facts(examples, classes), 7).in_batch->epochs == 7);
  }
  for (const auto& [examples, classes] : {std::pair<index_t, index_t>{2, 2}, {36, 9}, {616, 77}, {34, 2}, {10000, 2}})
    CHECK_FALSE(recommended(facts(examples, classes)).in_batch);
  CHECK(recommended(facts(72, 9), {}, 18).in_batch);
}

TEST_CASE("more examples a class: the contrast weighs less and more neighbors vote", "[recipe]") {
  Recipe before = recommended(facts(150, 150));
  CHECK(before.neighbors == 3);
  CHECK(before.contrastive.contrast.most_similar == 1);
  for (index_t each = 2; each < 100000; each *= 2) {
    const Recipe r = recommended(facts(150 * each, 150));
    CHECK(r.contrastive.weight <= before.contrastive.weight);
    CHECK(r.neighbors >= before.neighbors);
    before = r;
  }
  CHECK(before.neighbors == 30);
}

TEST_CASE("copies of the examples are trained on in as many steps, or in one pass", "[recipe]") {
  for (const index_t examples : {8, 48, 640, 10000, 30000}) {
    CAPTURE(examples);
    TrainingFacts with = facts(examples, 2);
    const Recipe plain = recommended(with);
    with.copies = 3;
    const Recipe r = recommended(with);
    CHECK(3 * r.steps >= 2 * plain.steps);
    if (r.trainer.epochs > 1) CHECK(2 * r.steps <= 3 * plain.steps);  // one pass over all copies may take more
    CHECK(r.neighbors == plain.neighbors);
    CHECK(r.contrastive.weight == plain.contrastive.weight);
  }
  TrainingFacts negative = facts(48, 6);
  negative.copies = -1;
  CHECK_THROWS_AS(recommended(negative), OptionError);
}

TEST_CASE("what follows from epochs and batch size follows from those given", "[recipe]") {
  const Recipe r = recommended(facts(640, 64), 2, 8);
  CHECK(r.trainer.epochs == 2);
  CHECK(r.trainer.batch_size == 8);
  CHECK(r.steps == 160);
  CHECK(r.contrastive.momentum < recommended(facts(640, 64), 20, 8).contrastive.momentum);
  CHECK(recommended(facts(640, 64), 0).steps == 0);
  CHECK_THROWS_AS(recommended(facts(640, 64), 2, 0), OptionError);
  CHECK_THROWS_AS(recommended(TrainingFacts{.examples = 0}), OptionError);
}

TEST_CASE("facts of a data set: classes without examples do not count", "[recipe]") {
  std::vector<Example> examples;
  for (int i = 0; i < 9; ++i) examples.push_back({.text = "a", .label = 0});
  for (int i = 0; i < 3; ++i) examples.push_back({.text = "b", .label = 2});
  examples.push_back({.text = "c", .label = 3});
  const TrainingFacts f = training_facts(Dataset(examples, {"a", "none", "b", "c"}), 768);
  CHECK(f.examples == 13);
  CHECK(f.classes == 3);
  CHECK(f.per_class() == 4);
  CHECK(f.width == 768);
  CHECK(recommended(Dataset(examples, {"a", "none", "b", "c"}), 768).trainer.learning_rate ==
        recommended(f).trainer.learning_rate);
}
