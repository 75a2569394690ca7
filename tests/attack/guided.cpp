// Victims of which one distribution leads the search and another judges: every query, in order.
#include <limits>

#include "attack/toy.hpp"
#include "catch.hpp"
#include "knnbert/attack/smoothed_victim.hpp"

namespace {

using namespace knnbert_test;

const Example guided_example{"The movie was GREAT fun", {}, 1};
const std::string guided_text = "the movie was great fun";

/// p(1) of a word's weights leads: 0.875 for the text; less is farther from class 1.
const ToyVictim leading{
    {{"great", 0.25f}, {"fun", 0.125f}, {"fine", 0.125f}, {"bad", -0.1875f}, {"pain", -0.125f}, {"joy", 0.0625f}}};
const SynonymTable guided_synonyms = table({{"great", {"fine", "bad"}}, {"fun", {"joy", "pain"}}});

/// A vote that is as flat as can be: all for class 1 where p(1) by the weights is above a threshold, else none.
struct FlatVictim {
  float threshold = 0.3125f;
  ToyVictim guide = leading;
  std::vector<std::string>* asked = nullptr;

  GuidedProbabilities operator()(std::span<const std::string> texts) const {
    if (asked) asked->insert(asked->end(), texts.begin(), texts.end());
    GuidedProbabilities all{guide(texts), guide(texts)};
    for (index_t i = 0; i < all.judged.rows(); ++i) {
      all.judged(i, 1) = all.guide(i, 1) >= threshold ? 1.0f : 0.0f;
      all.judged(i, 0) = 1 - all.judged(i, 1);
    }
    return all;
  }
};

/// The same for class 0 where a text has a word, which the guide likes less than others.
struct WordVictim {
  std::string word;
  std::vector<std::string>* asked = nullptr;

  GuidedProbabilities operator()(std::span<const std::string> texts) const {
    GuidedProbabilities all = FlatVictim{.threshold = 0, .asked = asked}(texts);
    for (index_t i = 0; i < all.judged.rows(); ++i)
      if (texts[as_size(i)].find(word) != std::string::npos) all.judged(i, 0) = 1, all.judged(i, 1) = 0;
    return all;
  }
};

/// Expected texts: the original, one for each word with a placeholder, and what follows.
std::vector<std::string> guided_trace(const std::string& placeholder, std::initializer_list<std::string> more) {
  std::vector<std::string> all{guided_text};
  for (index_t i = 0; i < 5; ++i) all.push_back(join_words_with(attack_words(guided_text), i, placeholder));
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

template <class Search>
auto guided_attack(Search search) {
  return Attack{Untargeted{}, Constraints{ChangeWordsOnce{}}, FromSynonyms{&guided_synonyms}, search};
}

}  // namespace

TEST_CASE("guide: importance search goes on where the guide's label has changed and the judge's has not") {
  std::vector<std::string> asked;
  const AttackResult r = guided_attack(ImportanceSearch{})(FlatVictim{.asked = &asked}, guided_example);
  // p(1) by the guide: bad fun 0.4375, of class 0 already; bad joy 0.375, bad pain 0.1875.
  CHECK(asked == guided_trace("", {"the movie was fine fun", "the movie was bad fun", "the movie was bad joy",
                                   "the movie was bad pain"}));
  CHECK(r.counts.status == AttackStatus::successful);
  CHECK(r.counts.queries == 10);
  CHECK(r.perturbed == "the movie was bad pain");
  CHECK(r.before == std::vector<float>{0, 1});
  CHECK(r.after == std::vector<float>{1, 0});
  CHECK(r.guide_before == std::vector<float>{0.125f, 0.875f});
  CHECK(r.guide_after == std::vector<float>{0.8125f, 0.1875f});
  CHECK(r.label_before == 1);
  CHECK(r.label_after == 0);
  CHECK(r.score == 1);
}

TEST_CASE("guide: the flat vote alone shows no way") {
  std::vector<std::string> asked;
  const auto alone = [&](std::span<const std::string> texts) { return FlatVictim{.asked = &asked}(texts).judged; };
  const AttackResult r = guided_attack(ImportanceSearch{})(alone, guided_example);
  CHECK(asked == guided_trace("", {"the movie was fine fun", "the movie was bad fun", "the movie was great joy",
                                   "the movie was great pain"}));
  CHECK(r.counts.status == AttackStatus::failed);
  CHECK(r.changes.empty());
  CHECK(r.guide_before.empty());
  CHECK(r.guide_after.empty());
}

TEST_CASE("guide: greedy search and saliency search") {
  std::vector<std::string> asked;
  AttackResult r = guided_attack(GreedySearch{})(FlatVictim{.asked = &asked}, guided_example);
  CHECK(asked == guided_trace("[MASK]", {"the movie was fine fun", "the movie was bad fun", "the movie was bad joy",
                                         "the movie was bad pain"}));
  CHECK(r.perturbed == "the movie was bad pain");
  CHECK(r.counts.status == AttackStatus::successful);

  asked.clear();
  r = guided_attack(SaliencySearch{})(FlatVictim{.asked = &asked}, guided_example);
  CHECK(asked == guided_trace("[UNK]", {"the movie was fine fun", "the movie was bad fun", "the movie was great joy",
                                        "the movie was great pain", "the movie was bad pain"}));
  CHECK(r.perturbed == "the movie was bad pain");
  CHECK(r.counts.queries == 12);  // the first replacement was asked before and counts again
  CHECK(r.counts.status == AttackStatus::successful);
}

TEST_CASE("guide: what turns the judge is taken though the guide likes another one better") {
  std::vector<std::string> asked;
  const WordVictim victim{"joy", &asked};
  CHECK(guided_attack(ImportanceSearch{})(victim, guided_example).perturbed == "the movie was bad joy");
  CHECK(guided_attack(GreedySearch{})(victim, guided_example).perturbed == "the movie was bad joy");
  asked.clear();
  const AttackResult r = guided_attack(SaliencySearch{})(victim, guided_example);
  CHECK(asked == guided_trace("[UNK]", {"the movie was fine fun", "the movie was bad fun", "the movie was great joy",
                                        "the movie was great pain"}));
  CHECK(r.perturbed == "the movie was great joy");
  CHECK(r.counts.status == AttackStatus::successful);
}

TEST_CASE("guide: the judge decides what is skipped") {
  const auto status = [](const auto& victim) {
    return guided_attack(ImportanceSearch{})(victim, guided_example).counts.status;
  };
  ToyVictim wrong = leading;
  wrong.weights["movie"] = -0.4375f;  // p(1) by the guide is 0.4375 before the attack
  CHECK(status(FlatVictim{.guide = wrong}) == AttackStatus::successful);
  CHECK(status(FlatVictim{.threshold = 0, .guide = wrong}) == AttackStatus::failed);
  CHECK(status(FlatVictim{.threshold = 0.9375f}) == AttackStatus::skipped);
}

TEST_CASE("guide: importance, and what a new label gains, are the guide's") {
  // Without "bad" the guide's p_0 falls from 0.875 to 0.25 and p_1 rises from 0.125 to 0.75; the judge sees nothing.
  const FlatVictim victim{.threshold = 2, .guide = {{{"bad", -0.625f}, {"good", 0.25f}}}};
  const std::vector<std::string> words{"bad", "good"};
  const auto attack = guided_attack(ImportanceSearch{});
  detail::Queries<FlatVictim> queries(victim, {});
  Attempt<decltype(attack), FlatVictim> attempt(
      attack, victim, queries, words, 0, attack.judged(queries(1, [](index_t) { return "bad good"; }).front(), 0));
  const auto ranked = rank_words(attempt, "");
  CHECK(ranked[0].index == 0);
  CHECK(ranked[0].score == 1.25f);
  CHECK(ranked[1].score == -0.125f);
}

TEST_CASE("guide: one that does not fit is an error of the example") {
  const auto reason = [](index_t rows, index_t classes, float p) {
    const auto victim = [&](std::span<const std::string> texts) {
      GuidedProbabilities all{leading(texts), Matrix(rows, classes)};
      all.guide.fill(p);
      return all;
    };
    const AttackResult r = guided_attack(ImportanceSearch{})(victim, guided_example);
    CHECK(r.counts.status == AttackStatus::error);
    return r.reason;
  };
  CHECK(reason(2, 2, 0.5f).find("2 rows of the guide of 1 texts given") != std::string::npos);
  CHECK(reason(1, 3, 0.5f).find("3 classes given, 2 as before expected") != std::string::npos);
  CHECK(reason(1, 2, std::numeric_limits<float>::quiet_NaN()).find("NaN given") != std::string::npos);
  int calls = 0;
  const auto sometimes = [&](std::span<const std::string> texts) {
    GuidedProbabilities all = FlatVictim{}(texts);
    if (++calls > 1) all.guide = Matrix();
    return all;
  };
  const AttackResult r = guided_attack(ImportanceSearch{})(sometimes, guided_example);
  CHECK(r.counts.status == AttackStatus::error);
  CHECK(r.reason.find("of all or of none expected") != std::string::npos);
}

TEST_CASE("guide: a smoothed victim smooths what leads too") {
  const FlatVictim victim;
  const std::vector<std::string> fine{"fine"}, none;
  const auto substitutes = [&](const std::string& word) -> const std::vector<std::string>& {
    return word == "great" ? fine : none;
  };
  const SmoothedVictim<FlatVictim, decltype(substitutes)> smoothed{&victim, substitutes, {.copies = 3, .words = 1}};
  const std::vector<std::string> texts{"a great film", "bad"};
  const auto all = smoothed(texts);
  REQUIRE(all.guide.rows() == 2);
  CHECK(all.guide(0, 1) == approx(0.625));  // "a fine film", three times
  CHECK(all.guide(1, 1) == approx(0.3125));
  CHECK(all.judged(0, 1) == approx(1));
  CHECK(all.judged(1, 1) == approx(1));
  const SmoothedVictim<ToyVictim, decltype(substitutes)> plain{&leading, substitutes, {.copies = 3, .words = 1}};
  CHECK(plain(texts).judged(0, 1) == approx(0.625));
}
