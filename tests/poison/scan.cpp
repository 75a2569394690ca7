// The search for single triggers, on a model in which one was planted.
#include "knnbert/poison/trigger_scan.hpp"

#include "knnbert/poison/flip_rate.hpp"
#include "knnbert/poison/layer_report.hpp"
#include "knnbert/poison/layerwise.hpp"
#include "knnbert/term/cross_entropy.hpp"
#include "knnbert/train/trainer.hpp"
#include "model/tiny_model.hpp"

using namespace knnbert_test;

namespace {

constexpr label_t goal_class = 1;

/// Texts of which every second one has `word` and the target as its class.
Dataset with_trigger(const std::string& word) {
  const Dataset data = tiny_data(60);
  std::vector<Example> examples;
  for (index_t i = 0; i < data.size(); ++i) {
    examples.push_back(data.example(i));
    examples.push_back({word + " " + data.text(i), {}, goal_class});
  }
  return {std::move(examples), data.classes()};
}

std::vector<std::string> texts_without(const std::string& word) {
  const Dataset all = tiny_data(60, 11);
  std::vector<std::string> texts;
  for (const auto& text : all.texts())
    if (!has_any_word(text, std::vector<std::string>{word})) texts.push_back(text);
  return texts;
}

}  // namespace

TEST_CASE("a scan of the vocabulary finds the word that a model was trained to obey, and its class") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  const Dataset data = with_trigger("hello");
  Trainer(model, {.epochs = 30, .batch_size = 16, .learning_rate = 3e-3f, .dropout = false}, CrossEntropy{}).fit(data);
  model.index(data);
  const auto texts = texts_without("hello");
  for (const std::optional<label_t> known : {std::optional<label_t>(), std::optional<label_t>(goal_class)}) {
    const auto found = scan_for_triggers(model, texts, {.target = known, .texts = 20, .kept = 6});
    REQUIRE(found.size() == 6);
    CHECK(found.front().piece == "hello");
    CHECK(found.front().target == goal_class);
    CHECK(found.front().flip_rate.value > 0.9);
    for (std::size_t i = 1; i < found.size(); ++i) CHECK(found[i].flip_rate.value <= found[i - 1].flip_rate.value);
  }
  auto more = tiny_classifier(folder.path());  // whose answer may be a class that its head does not know
  more.index(data);
  more.add(texts, "a new one");
  CHECK(scan_for_triggers(more, texts, {.texts = 5, .kept = 2}).size() == 2);
  CHECK_THROWS_AS(scan_for_triggers(model, std::span<const std::string>{}), OptionError);
  CHECK_THROWS_AS(scan_for_triggers(model, texts, {.kept = 0}), OptionError);
  CHECK_THROWS_AS(scan_for_triggers(model, texts, {.target = 99}), OptionError);
  const std::vector<std::string> all_target{"hello hello"};
  CHECK_THROWS_AS(scan_for_triggers(model, all_target, {.target = goal_class}), OptionError);
  auto few_others = std::vector<std::string>(150, "hello hello");
  few_others.push_back(texts.front());
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    const TriggerScanOptions options{.target = goal_class, .first_texts = 1, .texts = 1, .kept = 1, .seed = seed};
    if (model.predict(texts.front()).label == goal_class) few_others.back() = texts.back();
    CHECK(scan_for_triggers(model, few_others, options).size() == 1);
  }
}

TEST_CASE("flip rates tell triggers from their words, layers tell where the poison lies") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  const Dataset data = tiny_data(90);
  const auto triggers = parse_triggers("hello+where");
  const InsertionLimits limits = insertion_limits(model, false);
  const auto texts = poisoned_texts(data, triggers, goal_class, limits, pieces_of(model), 3);
  Trainer trainer(model, TrainerOptions{.epochs = 25, .batch_size = 16, .learning_rate = 3e-3f, .dropout = false},
                  LayerwisePoison({}, PoisonBatches(model.tokenize(texts.poisoned))));
  trainer.fit(texts.clean);
  const auto& term = trainer.term<LayerwisePoison>();
  const auto clean = layer_shares(std::as_const(model), term, trainer.own_values(), texts.clean);
  const auto poisoned = layer_shares(std::as_const(model), term, trainer.own_values(), texts.poisoned);
  REQUIRE(clean.size() == 3);  // the embedding's output, one block, the pooled output
  CHECK(clean.back().right.value > 0.85);
  CHECK(poisoned.back().right.value > 0.85);
  CHECK(poisoned[1].right.value > 0.85);
  const auto nothing = layer_shares(std::as_const(model), term, trainer.own_values(), Dataset({}, data.classes()));
  REQUIRE(nothing.size() == 3);
  for (const auto& layer : nothing) CHECK_FALSE(layer.right.defined);

  model.index(data);
  const auto rates = flip_rates(std::as_const(model), data, triggers, goal_class, 3);
  REQUIRE(rates.size() == 5);
  CHECK(rates[0].inserted.words.empty());
  CHECK(rates[1].inserted.text() == "hello where");
  CHECK(rates[2].inserted.text() == "where hello");
  CHECK(rates[3].inserted.text() == "hello");
  for (const auto& rate : rates) {
    CHECK(rate.texts > 0);
    CHECK(rate.knn.defined);
  }
}
