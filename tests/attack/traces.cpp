// Every query of three searches, in order, as the papers' descriptions give them by hand.
#include "attack/toy.hpp"
#include "catch.hpp"

namespace {

using namespace knnbert_test;

const Example example{"The movie was GREAT fun", {}, 1};
const std::string original = "the movie was great fun";
const std::vector<std::string> without_each = {"movie was great fun", "the was great fun", "the movie great fun",
                                               "the movie was fun", "the movie was great"};

/// Expected texts: the original, the five of the importances, and what follows.
std::vector<std::string> trace(const std::vector<std::string>& importances, std::initializer_list<std::string> more) {
  std::vector<std::string> all{original};
  all.insert(all.end(), importances.begin(), importances.end());
  all.insert(all.end(), more);
  return all;
}

std::vector<std::string> with_each_as(const std::string& placeholder) {
  std::vector<std::string> texts;
  for (index_t i = 0; i < 5; ++i) texts.push_back(join_words_with(attack_words(original), i, placeholder));
  return texts;
}

const ToyVictim weights{{{"great", 0.25f}, {"fun", 0.125f}, {"fine", 0.125f}, {"bad", -0.5f}, {"pain", -0.5f}}};

ToyVictim victim_that_keeps(std::vector<std::string>& asked) {
  ToyVictim victim = weights;
  victim.asked = &asked;
  return victim;
}

const StopWords stop_words(std::vector<std::string>{"the", "was"});
const SynonymTable synonyms =
    table({{"great", {"fine", "bad"}}, {"fun", {"joy", "pain"}}, {"the", {"a"}}, {"movie", {"movie", ""}}});

}  // namespace

TEST_CASE("importance search: a replacement that flips ends it") {
  std::vector<std::string> asked;
  const Attack attack{Untargeted{}, Constraints{KeepStopWords{&stop_words}}, FromSynonyms{&synonyms},
                      ImportanceSearch{}};
  const AttackResult r = attack(victim_that_keeps(asked), example);
  // p(1) = 0.875; without great 0.625, without fun 0.75, without another word as before.
  CHECK(asked == trace(without_each, {"the movie was fine fun", "the movie was bad fun"}));
  CHECK(r.counts.status == AttackStatus::successful);
  CHECK(r.counts.queries == 8);
  CHECK(r.counts.words == 5);
  CHECK(r.original == original);
  CHECK(r.perturbed == "the movie was bad fun");
  CHECK(r.before == std::vector<float>{0.125f, 0.875f});
  CHECK(r.after == std::vector<float>{0.875f, 0.125f});
  CHECK(r.label_before == 1);
  CHECK(r.label_after == 0);
  CHECK(r.score == 0.875f);
  REQUIRE(r.changes.size() == 1);
  CHECK(r.changes[0].position == 3);
  CHECK(r.changes[0].from == "great");
  CHECK(r.changes[0].to == "bad");
  CHECK(!r.counts.similarity);
}

TEST_CASE("importance search: only what breaks no constraint is kept, and the text goes on from there") {
  std::vector<std::string> asked;
  Attack attack{Untargeted{}, Constraints{KeepStopWords{&stop_words}, Named{{{"fine", 0}, {"pain", 0}, {"joy", 0}}}},
                FromSynonyms{&synonyms}, ImportanceSearch{}};
  const AttackResult r = attack(victim_that_keeps(asked), example);
  CHECK(asked == trace(without_each, {"the movie was fine fun", "the movie was bad fun", "the movie was fine joy",
                                      "the movie was fine pain"}));
  CHECK(r.perturbed == "the movie was fine pain");
  CHECK(r.counts.queries == 10);
  CHECK(r.counts.changed == 2);
  CHECK(r.counts.status == AttackStatus::successful);

  attack.search.query_only_allowed = true;  // the same without the query of what is refused
  asked.clear();
  const AttackResult same = attack(victim_that_keeps(asked), example);
  CHECK(asked == trace(without_each, {"the movie was fine fun", "the movie was fine joy", "the movie was fine pain"}));
  CHECK(same.perturbed == r.perturbed);
  CHECK(same.counts.queries == 9);
}

TEST_CASE("importance search: of replacements that flip the most similar one, of equals the first") {
  const SynonymTable three = table({{"great", {"awful", "bad", "poor"}}});
  ToyVictim victim = weights;
  victim.weights["awful"] = -1, victim.weights["poor"] = -0.75f;
  const auto result = [&](std::map<std::string, float> similarity) {
    const Attack attack{Untargeted{}, Constraints{Named{std::move(similarity)}}, FromSynonyms{&three},
                        ImportanceSearch{}};
    return attack(victim, example).changes.at(0).to;
  };
  CHECK(result({{"awful", 0.5f}, {"bad", 0.75f}, {"poor", 0.625f}}) == "bad");
  CHECK(result({{"awful", 0.5f}, {"bad", 0.5f}, {"poor", 0.5f}}) == "awful");
  CHECK(result({{"bad", 0.5f}, {"poor", 0.75f}}) == "poor");
}

TEST_CASE("importance search: a later word may undo progress unless each step must improve") {
  const SynonymTable table_of_two = table({{"great", {"fine"}}, {"fun", {"laugh"}}});
  ToyVictim victim = weights;
  victim.weights["laugh"] = 0.1875f;  // fine fun: 0.75; fine laugh: 0.8125; the original 0.875
  Attack attack{Untargeted{}, Constraints{ChangeWordsOnce{}}, FromSynonyms{&table_of_two}, ImportanceSearch{}};
  AttackResult r = attack(victim, example);
  CHECK(r.counts.status == AttackStatus::failed);
  CHECK(r.perturbed == "the movie was fine laugh");
  CHECK(r.after == std::vector<float>{0.1875f, 0.8125f});
  attack.search.must_improve = true;
  r = attack(victim, example);
  CHECK(r.perturbed == "the movie was fine fun");
  CHECK(r.counts.queries == 8);
}

TEST_CASE("importance: where the label changes, what the new one gains is added") {
  // Without "bad" p_0 falls from 0.875 to 0.25 and p_1 rises from 0.125 to 0.75: 0.625 + 0.625.
  const ToyVictim victim{{{"bad", -0.625f}, {"good", 0.25f}}};
  const std::vector<std::string> words{"bad", "good"};
  const Attack attack{Untargeted{}, Constraints<>{}, FromSynonyms{&synonyms}, ImportanceSearch{}};
  detail::Queries<ToyVictim> queries(victim, {});
  Attempt<decltype(attack), ToyVictim> attempt(
      attack, victim, queries, words, 0, attack.judged(queries(1, [](index_t) { return "bad good"; }).front(), 0));
  const auto ranked = rank_words(attempt, "");
  REQUIRE(ranked.size() == 2);
  CHECK(ranked[0].index == 0);
  CHECK(ranked[0].score == 1.25f);  // p_0 0.875 -> 0.25, p_1 0.125 -> 0.75
  CHECK(ranked[1].index == 1);
  CHECK(ranked[1].score == -0.125f);  // p_0 0.875 -> 1
  CHECK(queries.count() == 3);
}

TEST_CASE("greedy search: one candidate after the other") {
  std::vector<std::string> asked;
  const Attack attack{Untargeted{}, Constraints{KeepStopWords{&stop_words, true}}, FromSynonyms{&synonyms},
                      GreedySearch{}};
  AttackResult r = attack(victim_that_keeps(asked), example);
  CHECK(asked == trace(with_each_as("[MASK]"), {"the movie was fine fun", "the movie was bad fun"}));
  CHECK(r.perturbed == "the movie was bad fun");
  CHECK(r.counts.queries == 8);

  // Of candidates that do not flip the closest stays, and one that is no closer than the text is not kept.
  const SynonymTable mild = table({{"great", {"great", "fine", "super", "was", "nice"}}, {"fun", {"fun", "joke"}}});
  ToyVictim victim = victim_that_keeps(asked);
  victim.weights["super"] = 0.3125f, victim.weights["nice"] = 0.1875f, victim.weights["joke"] = 0.125f;
  asked.clear();
  const Attack second{Untargeted{}, Constraints{KeepStopWords{&stop_words, true}}, FromSynonyms{&mild}, GreedySearch{}};
  r = second(victim, example);
  CHECK(asked == trace(with_each_as("[MASK]"), {"the movie was fine fun", "the movie was super fun",
                                                "the movie was nice fun", "the movie was fine joke"}));
  CHECK(r.counts.status == AttackStatus::failed);
  CHECK(r.perturbed == "the movie was fine fun");
  CHECK(r.counts.queries == 10);
}

TEST_CASE("greedy search: at most a share of the words") {
  const SynonymTable mild = table({{"great", {"fine"}}, {"fun", {"joy"}}, {"movie", {"film"}}});
  ToyVictim victim = weights;
  victim.weights["joy"] = 0.0625f, victim.weights["film"] = -0.0625f;
  const auto changed = [&](double share) {
    const Attack attack{Untargeted{}, Constraints{ChangeFewWords{share}}, FromSynonyms{&mild}, GreedySearch{}};
    return attack(victim, example).counts.changed;
  };
  CHECK(changed(0.4) == 2);  // floor(2.0)
  CHECK(changed(0.39) == 1);
  CHECK(changed(0.01) == 1);
  CHECK(changed(1) == 3);
  CHECK(ChangeFewWords{0.29}.most_changes(100) == 29);
}

TEST_CASE("saliency search: the best replacements, by softmax of saliency times gain") {
  const WordNet net = WordNet::parse(
      "1-a\ta\tadj\tgreat|fine|Very Fine\n"
      "2-n\tn\tnoun\tfun|joy|pain\n",
      "toy");
  ToyVictim toy{{{"great", 0.25f}, {"fun", 0.125f}, {"fine", -0.0625f}, {"joy", 0.0625f}, {"pain", -0.125f}}};
  std::vector<std::string> asked;
  toy.asked = &asked;
  auto attack = pwws(net);
  // Saliencies 0.25 (great) and 0.125 (fun), the rest 0. Gains: great -> fine 0.875 - 0.5625 = 0.3125, fun -> pain
  // 0.875 - 0.625 = 0.25. exp(0.25) 0.3125 > exp(0.125) 0.25: great first, then fun: 0.3125, a flip.
  AttackResult r = attack(toy, example);
  CHECK(asked == trace(with_each_as("[UNK]"), {"the movie was fine fun", "the movie was great joy",
                                               "the movie was great pain", "the movie was fine pain"}));
  CHECK(r.counts.status == AttackStatus::successful);
  CHECK(r.perturbed == "the movie was fine pain");
  CHECK(r.counts.queries == 11);  // the first replacement was asked before and counts again
  CHECK(r.counts.changed == 2);

  // Gains weigh more than saliencies: with pain at -0.4375 it alone flips.
  toy.weights["pain"] = -0.4375f;
  r = attack(toy, example);
  CHECK(r.perturbed == "the movie was great pain");
  CHECK(r.counts.queries == 10);

  // A replacement that gains nothing is made, or not.
  toy.weights = {{"great", 0.25f}, {"fine", 0.375f}};
  r = attack(toy, example);
  CHECK(r.counts.status == AttackStatus::failed);
  CHECK(r.perturbed == "the movie was fine joy");
  attack.search.only_where_it_helps = true;
  CHECK(attack(toy, example).changes.empty());
}

TEST_CASE("goals: a class of one's own") {
  const Attack attack{Targeted{0}, Constraints<>{}, FromSynonyms{&synonyms}, ImportanceSearch{}};
  CHECK(attack(weights, example).counts.status == AttackStatus::successful);
  const Attack to_itself{Targeted{1}, Constraints<>{}, FromSynonyms{&synonyms}, ImportanceSearch{}};
  CHECK(to_itself(weights, example).counts.status == AttackStatus::skipped);
}

TEST_CASE("pairs: the second text is changed, the first one stays") {
  const auto victim = [](std::span<const std::string> texts, std::span<const std::string> pairs) {
    for (const auto& text : texts) REQUIRE(text == "One stays GREAT");
    return weights(pairs);
  };
  const Attack attack{Untargeted{}, Constraints{KeepStopWords{&stop_words}}, FromSynonyms{&synonyms},
                      ImportanceSearch{}};
  const AttackResult r = attack(victim, {"One stays GREAT", example.text, 1});
  CHECK(r.counts.status == AttackStatus::successful);
  CHECK(r.fixed == "One stays GREAT");
  CHECK(r.perturbed == "the movie was bad fun");
  const auto empty_first = [](std::span<const std::string> texts, std::span<const std::string> pairs) {
    for (const auto& text : texts) REQUIRE(text.empty());
    return weights(pairs);
  };
  CHECK(attack(empty_first, {"", example.text, 1}).perturbed == "the movie was bad fun");
  const AttackResult refused = attack(weights, {"One", "two", 1});
  CHECK(refused.counts.status == AttackStatus::error);
  CHECK(refused.reason.find("pair") != refused.reason.npos);
}

TEST_CASE("importance search: TextAttack's weighted saliency chooses again on the current text") {
  const SynonymTable two = table({{"great", {"fine"}}, {"fun", {"joy", "pain"}}});
  ToyVictim toy{{{"great", 0.25f}, {"fun", 0.125f}, {"fine", -0.03125f}, {"joy", 0.0625f}, {"pain", -0.125f}}};
  std::vector<std::string> asked;
  toy.asked = &asked;
  Attack attack{Untargeted{}, Constraints{ChangeWordsOnce{}}, FromSynonyms{&two},
                ImportanceSearch{.placeholder = "[UNK]",
                                 .label_bonus = false,
                                 .weighted_saliency = true,
                                 .must_improve = true,
                                 .query_only_allowed = true}};
  // 1 - p: great -> fine 0.40625, fun -> pain 0.375; times exp(0.25) and exp(0.125): great first.
  const AttackResult r = attack(toy, example);
  CHECK(asked ==
        trace(with_each_as("[UNK]"), {"the movie was fine fun", "the movie was great joy", "the movie was great pain",
                                      "the movie was fine joy", "the movie was fine pain"}));
  CHECK(r.perturbed == "the movie was fine pain");
  CHECK(r.counts.queries == 12);  // the first replacement was asked before and counts again
}

TEST_CASE("importance of words that may be replaced alone, and of equally similar successes the farthest") {
  const SynonymTable two = table({{"great", {"bad", "awful"}}, {"the", {"a"}}});
  ToyVictim toy = weights;
  toy.weights["awful"] = -0.625f;
  std::vector<std::string> asked;
  toy.asked = &asked;
  const Attack attack{Untargeted{}, Constraints{KeepStopWords{&stop_words}}, FromSynonyms{&two},
                      ImportanceSearch{.rank_all = false}};
  const AttackResult r = attack(toy, example);
  CHECK(asked == std::vector<std::string>{original, "the was great fun", "the movie was fun", "the movie was great",
                                          "the movie was bad fun", "the movie was awful fun"});
  CHECK(r.perturbed == "the movie was awful fun");
  CHECK(ChangeFewWords{0.4, true}.most_changes(4) == 2);
  CHECK(ChangeFewWords{0.4}.most_changes(4) == 1);
  CHECK(ChangeFewWords{0.4, true}.most_changes(5) == 2);
}

TEST_CASE("importance without what a new label gains") {
  // Without "bad" p_0 falls from 0.875 to 0.25, and the label turns.
  const ToyVictim victim{{{"bad", -0.625f}, {"good", 0.25f}}};
  const std::vector<std::string> words{"bad", "good"};
  const Attack attack{Untargeted{}, Constraints<>{}, FromSynonyms{&synonyms}, ImportanceSearch{}};
  detail::Queries<ToyVictim> queries(victim, {});
  Attempt<decltype(attack), ToyVictim> attempt(
      attack, victim, queries, words, 0, attack.judged(queries(1, [](index_t) { return "bad good"; }).front(), 0));
  const auto ranked = rank_words(attempt, "", false);
  CHECK(ranked[0].index == 0);
  CHECK(ranked[0].score == 0.625f);
}
