// Examples that are added to a datastore until an answer turns.
#include "knnbert/attack/datastore_attack.hpp"

#include "model/tiny_model.hpp"

using namespace knnbert_test;

namespace {

/// A model whose answers are those of its neighbors, all votes alike.
Classifier<> model_that_counts(const std::filesystem::path& folder) {
  auto model = tiny_classifier(folder);
  model.index(tiny_data());
  model.voting().kind = VotingKind::count;
  return model;
}

}  // namespace

TEST_CASE("copies of a text under another class turn the vote of k neighbors when they have the majority") {
  const TemporaryFolder place;
  auto model = model_that_counts(place.path());
  const Dataset data = tiny_data();
  const index_t before = model.datastore().size();
  DatastoreAttack attack(model, {}, {.predictor = Predictor::knn});
  std::vector<DatastoreAttackResult> results;
  for (index_t i = 0; i < data.size(); ++i) {
    const auto result = attack(data.example(i));
    const auto answered = model.distributions(model.tokenize(std::span(&data.text(i), 1)));
    CHECK(result.has_value() == (likeliest(answered.knn.row(0)) == data.label(i)));
    if (!result) continue;
    CHECK(result->target != result->answer);
    REQUIRE(result->turned);
    CHECK(*result->turned <= 5);  // of 5 neighbors all are copies then
    // As many copies by hand turn it, one fewer does not.
    for (const index_t fewer : {1, 0}) {
      const std::vector<std::string> copies(as_size(*result->turned - fewer), data.text(i));
      const auto ids = model.add(copies, tiny_classes[as_size(result->target)]);
      const auto now = model.distributions(model.tokenize(std::span(&data.text(i), 1)));
      CHECK((likeliest(now.knn.row(0)) == result->answer) == (fewer == 1));
      CHECK(model.remove(ids) == std::ssize(copies));
    }
    results.push_back(*result);
  }
  CHECK(model.datastore().size() == before);
  const auto summary = summarize(results);
  CHECK(summary.attacked == std::ssize(results));
  CHECK(summary.turned == summary.attacked);
  REQUIRE(summary.median());
  CHECK(std::is_sorted(summary.least.begin(), summary.least.end()));
  CHECK(*summary.median() == summary.least[(summary.least.size() + 1) / 2 - 1]);
  CHECK(!summarize(std::vector<DatastoreAttackResult>{}).median());
}

TEST_CASE("texts of a pool turn answers later than copies, the nearest ones before random ones") {
  const TemporaryFolder place;
  auto model = model_that_counts(place.path());
  const Dataset data = tiny_data(), pool = tiny_data(30, 7);
  const auto turned = [&](AddedTexts texts) {
    DatastoreAttack attack(model, pool, {.texts = texts, .predictor = Predictor::knn, .most = 30});
    index_t total = 0;
    for (index_t i = 0; i < 12; ++i)
      if (const auto r = attack(data.example(i), i)) total += r->turned.value_or(31);
    return total;
  };
  const index_t copies = turned(AddedTexts::copies), nearest = turned(AddedTexts::nearest),
                random = turned(AddedTexts::random);
  CHECK(copies <= nearest);
  CHECK(nearest < random);
  CHECK(random == turned(AddedTexts::random));
}

TEST_CASE("an attack on a datastore refuses what no example can turn") {
  const TemporaryFolder place;
  auto model = model_that_counts(place.path());
  CHECK_THROWS_AS(DatastoreAttack(model, {}, {.predictor = Predictor::head}), OptionError);
  CHECK_THROWS_AS(DatastoreAttack(model, {}, {.texts = AddedTexts::random}), OptionError);
  CHECK_THROWS_AS(DatastoreAttack(model, {}, {})({.text = "card"}), ShapeError);
}
