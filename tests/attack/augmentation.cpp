#include "knnbert/attack/augmentation.hpp"

#include <map>
#include <set>

#include "catch.hpp"
#include "knnbert/attack/smoothed_victim.hpp"

using namespace knnbert;

namespace {

const std::vector<std::string> augment_classes{"no", "yes"};

Dataset two_texts() { return Dataset({{"the  Old film", "", 1}, {"xyz", "", 0}}, augment_classes); }

SynonymTable film_table() {
  SynonymTable table;
  table.add("film", {"movie", "picture"});
  table.add("old", {"aged"});
  table.add("the", {"a"});
  return table;
}

}  // namespace

TEST_CASE("augmentation: copies follow their example, with its label and classes", "[attack]") {
  const SynonymTable table = film_table();
  const StopWords stop_words(std::vector<std::string>{"the"});
  const Dataset all =
      augmented(two_texts(), TableSubstitutes{.synonyms = &table, .stop_words = &stop_words}, {.copies = 60});
  REQUIRE(all.size() == 2 * 61);
  CHECK(all.classes() == augment_classes);
  CHECK(all.text(0) == "the  Old film");
  std::set<std::string> copies;
  for (index_t i = 0; i < 61; ++i) {
    CHECK(all.label(i) == 1);
    copies.insert(all.text(i));
  }
  // every choice of two words, the stop word in its place; blanks stay where nothing is replaced
  CHECK(copies == std::set<std::string>{"the  Old film", "the aged film", "the Old movie", "the Old picture",
                                        "the aged movie", "the aged picture"});
  for (index_t i = 61; i < 122; ++i) {
    CHECK(all.label(i) == 0);
    CHECK(all.text(i) == "xyz");
  }
}

TEST_CASE("augmentation: a copy depends on seed, example and number alone", "[attack]") {
  const SynonymTable table = film_table();
  const TableSubstitutes substitutes{.synonyms = &table};
  const auto texts = [&](index_t copies, std::uint64_t seed) {
    const Dataset all = augmented(two_texts(), substitutes, {.copies = copies, .seed = seed});
    return std::vector<std::string>(all.texts().begin(), all.texts().begin() + copies + 1);
  };
  const auto nine = texts(9, 1), five = texts(5, 1);
  CHECK(std::equal(five.begin(), five.end(), nine.begin()));
  CHECK(nine != texts(9, 2));
  CHECK(texts(0, 1) == std::vector<std::string>{"the  Old film"});
}

TEST_CASE("augmentation: how many words are replaced", "[attack]") {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "film ";
  const Dataset data({{text, text, 0}}, augment_classes);
  const SynonymTable table = film_table();
  const Dataset all = augmented(data, TableSubstitutes{.synonyms = &table}, {.copies = 400, .most_words = 0.5f});
  double replaced = 0, most = 0;
  for (index_t i = 1; i < all.size(); ++i) {
    CHECK(all.text(i) != all.pair(i));  // both change, each in its own way
    const auto words = attack_words(all.text(i));
    const auto other =
        static_cast<double>(words.size()) - static_cast<double>(std::count(words.begin(), words.end(), "film"));
    replaced += other / 2000 / 400;
    most = std::max(most, other / 2000);
  }
  CHECK(std::abs(replaced - 0.25) < 0.03);  // the mean of a uniform rate from 0 to 0.5; its deviation is 0.007
  CHECK(most < 0.55);
  CHECK(most > 0.4);
}

TEST_CASE("augmentation: words of both tables, each once", "[attack]") {
  const SynonymTable table = film_table();
  const WordNet wordnet = WordNet::parse("1-n\tn\tnoun.x\tfilm|movie|flick\n", "wordnet");
  CHECK(TableSubstitutes{.synonyms = &table, .wordnet = &wordnet}("Film") ==
        std::vector<std::string>{"movie", "picture", "flick"});
  CHECK(TableSubstitutes{}("film").empty());
  CHECK_THROWS_AS(augmented(two_texts(), TableSubstitutes{}, {.copies = -1}), OptionError);
  CHECK_THROWS_AS(augmented(two_texts(), TableSubstitutes{}, {.most_words = 1.5f}), OptionError);
}

TEST_CASE("smoothed victim: the mean over copies, a function of the text alone", "[attack]") {
  const SynonymTable table = film_table();
  std::map<std::string, int> asked;
  // the first class is certain of texts with "film" and knows nothing of others
  const auto counting = [&](std::span<const std::string> texts) {
    Matrix rows(std::ssize(texts), 2);
    for (index_t i = 0; i < rows.rows(); ++i) {
      const auto& text = texts[as_size(i)];
      ++asked[text];
      rows(i, 0) = text.find("film") != std::string::npos ? 1.0f : 0.5f;
      rows(i, 1) = 1 - rows(i, 0);
    }
    return rows;
  };
  const std::vector<std::string> texts{"old film", "xyz"}, reversed{"xyz", "old film"};
  const SmoothedVictim<decltype(counting), TableSubstitutes> smoothed{
      .victim = &counting, .substitutes = {.synonyms = &table}, .options = {.copies = 4000, .words = 0.25}};
  const Matrix rows = smoothed(texts).judged, others = smoothed(reversed).judged;
  CHECK(smoothed(texts).guide.rows() == 0);
  CHECK(std::abs(rows(0, 0) - (0.75f + 0.25f * 0.5f)) < 0.02f);  // its deviation is 0.0034
  CHECK(std::abs(rows(0, 0) + rows(0, 1) - 1) < 1e-3f);
  CHECK(rows(1, 0) == 0.5f);
  for (index_t c = 0; c < 2; ++c) {
    CHECK(rows(0, c) == others(1, c));
    CHECK(rows(1, c) == others(0, c));
  }
  CHECK(asked.at("xyz") == 12000);
  CHECK(asked.at("old film") + asked.at("aged film") + asked.at("old movie") + asked.at("aged movie") +
            asked.at("old picture") + asked.at("aged picture") ==
        12000);
  auto led = smoothed;
  led.options.text_leads = true;
  const GuidedProbabilities both = led(texts);
  CHECK(both.judged(0, 0) == rows(0, 0));
  CHECK(both.guide(0, 0) == 1.0f);
  CHECK(both.guide(1, 0) == 0.5f);
  const SmoothedVictim<decltype(counting), TableSubstitutes> none{
      .victim = &counting, .substitutes = {}, .options = {.copies = 0}};
  CHECK_THROWS_AS(none(texts), OptionError);
}
