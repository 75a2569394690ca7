// Texts and victims that are at the edge: a status for the example, and the run goes on.
#include <stdexcept>

#include "attack/toy.hpp"
#include "catch.hpp"

namespace {

using namespace knnbert_test;

const StopWords stop_words(std::vector<std::string>{"the", "was"});
const SynonymTable synonyms = table({{"great", {"fine", "bad"}}, {"bad", {"poor", "great"}}, {"the", {"bad"}}});
const ToyVictim toy{{{"great", 0.25f}, {"bad", -0.5f}, {"fine", 0.125f}}};

auto attack_of(QueryOptions queries = {}) {
  Attack attack{Untargeted{}, Constraints{KeepStopWords{&stop_words}}, FromSynonyms{&synonyms}, ImportanceSearch{}};
  attack.options.queries = queries;
  return attack;
}

template <class V>
AttackResult attacked(const V& victim, const std::string& text, label_t label = 1) {
  return attack_of()(victim, Example{text, {}, label});
}

}  // namespace

TEST_CASE("degenerate texts") {
  AttackResult r = attacked(toy, "");  // p = 1/2 for both: the first class is said, class 1 is wrong
  CHECK(r.counts.status == AttackStatus::skipped);
  r = attacked(toy, " \t", 0);
  CHECK(r.counts.status == AttackStatus::failed);
  CHECK(r.counts.queries == 1);
  CHECK(r.counts.words == 0);
  CHECK(r.changes.empty());
  r = attacked(toy, "the was the was", 0);
  CHECK(r.counts.status == AttackStatus::failed);
  CHECK(r.counts.queries == 5);
  CHECK(r.perturbed == "the was the was");
  r = attacked(toy, "great");
  CHECK(r.counts.status == AttackStatus::successful);
  CHECK(r.perturbed == "bad");
  CHECK(r.counts.queries == 4);  // the text, the empty text, two replacements
  r = attacked(toy, "bad", 1);
  CHECK(r.counts.status == AttackStatus::skipped);
  CHECK(r.counts.queries == 1);
  r = attacked(toy, "unknown words great \xff\xfe", 1);
  CHECK(r.counts.status == AttackStatus::successful);
}

TEST_CASE("10,000 words") {
  std::string text = "great";
  for (int i = 1; i < 10000; ++i) text += " word" + std::to_string(i);
  // A victim that reads eight words: the others are neither asked for nor replaced.
  struct Short : ToyVictim {
    index_t readable(std::span<const std::string> words) const { return std::min<index_t>(8, std::ssize(words)); }
  };
  AttackResult r = attacked(Short{toy}, text);
  CHECK(r.counts.status == AttackStatus::successful);
  CHECK(r.counts.words == 10000);
  CHECK(r.counts.queries == 1 + 8 + 2);
  CHECK(r.counts.changed == 1);
  // One that reads them all, with another way to look at a text, so that this test takes no minutes.
  const auto fast = [](std::span<const std::string> texts) {
    Matrix rows(std::ssize(texts), 2);
    for (index_t i = 0; i < rows.rows(); ++i)
      rows(i, 1) = texts[as_size(i)].starts_with("great") ? 0.75f : 0.25f, rows(i, 0) = 1 - rows(i, 1);
    return rows;
  };
  r = attacked(fast, text);
  CHECK(r.counts.status == AttackStatus::successful);
  CHECK(r.counts.queries == 1 + 10000 + 2);
}

TEST_CASE("degenerate victims") {
  const auto reason = [](const auto& victim, label_t label = 1) {
    const AttackResult r = attacked(victim, "a great film", label);
    CHECK(r.counts.status == AttackStatus::error);
    return r.reason;
  };
  const auto contains = [](const std::string& text, const char* part) { return text.find(part) != text.npos; };
  const auto constant = [](float p, index_t classes, index_t missing_rows = 0) {
    return [=](std::span<const std::string> texts) {
      Matrix rows(std::ssize(texts) - missing_rows, classes);
      rows.fill(p);
      return rows;
    };
  };
  CHECK(contains(reason(constant(std::nanf(""), 2)), "NaN given"));
  CHECK(contains(reason(constant(7, 2)), "7 given, a probability expected"));
  CHECK(contains(reason(constant(1, 1)), "1 classes"));
  CHECK(contains(reason(constant(0, 0)), "0 classes"));
  CHECK(contains(reason(constant(0.5f, 2), 2), "label 2"));
  CHECK(contains(reason(constant(0.5f, 2), no_label), "without label"));
  CHECK(contains(reason(constant(0.5f, 2, 1)), "0 rows of 1 texts"));
  CHECK(reason([](std::span<const std::string>) -> Matrix { throw std::runtime_error("out of tea"); }) == "out of tea");
  CHECK(contains(reason([](std::span<const std::string>) -> Matrix { throw 3; }), "no std::exception"));

  // What happens later, after some queries: they are counted.
  int calls = 0;
  const auto later = [&](std::span<const std::string> texts) {
    if (++calls == 1) return toy(texts);
    Matrix rows(std::ssize(texts), 3);
    rows.fill(0);
    return rows;
  };
  const AttackResult r = attacked(later, "a great film");
  CHECK(r.counts.status == AttackStatus::error);
  CHECK(contains(r.reason, "3 classes given, 2 as before expected"));
  CHECK(r.counts.queries == 4);

  // The run goes on.
  const auto sometimes = [](std::span<const std::string> texts) {
    if (texts.front().starts_with("broken")) throw std::runtime_error("broken");
    return toy(texts);
  };
  const Dataset data({{"a great film", {}, 1}, {"broken", {}, 1}, {"great", {}, 1}}, {"bad", "good"});
  const auto results = attack_of().each(sometimes, data);
  REQUIRE(results.size() == 3);
  CHECK(results[0].counts.status == AttackStatus::successful);
  CHECK(results[1].counts.status == AttackStatus::error);
  CHECK(results[2].counts.status == AttackStatus::successful);
}

TEST_CASE("a budget of queries") {
  const auto status = [](index_t most) {
    const AttackResult r = attack_of({.most = most})(toy, Example{"a great film", {}, 1});
    CHECK(r.counts.queries <= most);
    return std::pair(r.counts.status, r.counts.queries);
  };
  CHECK(status(6) == std::pair(AttackStatus::successful, index_t{6}));
  CHECK(status(5) == std::pair(AttackStatus::failed, index_t{4}));  // two more would be needed
  CHECK(status(3) == std::pair(AttackStatus::failed, index_t{1}));
  CHECK_THROWS_AS((detail::Queries<ToyVictim>(toy, {.batch_size = 0})), OptionError);
}

TEST_CASE("the same results for any number of threads and texts a batch") {
  std::vector<Example> examples;
  const char* const words[] = {"great", "bad", "the", "fine", "film", "was", "poor"};
  const Rng rng(3, Stream::attack);
  for (std::uint64_t i = 0; i < 60; ++i) {
    std::string text;
    for (std::uint64_t w = 0; w < 3 + i % 9; ++w) text += std::string(words[rng.below(100 * i + w, 7)]) + " ";
    examples.push_back({text, {}, static_cast<label_t>(i % 2)});
  }
  const Dataset data(examples, {"bad", "good"});
  const auto text_of = [&](index_t threads, index_t batch) {
    std::string all;
    Workers workers(threads);
    index_t expected = 0;
    const auto attack = attack_of({.batch_size = batch});
    attack.each(
        toy, data,
        [&](index_t i, const AttackResult& r) {
          CHECK(i == expected++);
          all += json_line(to_json(r, data.classes())) + "\n";
        },
        workers);
    return all;
  };
  Workers two(2);  // that are not const
  CHECK(attack_of().each(toy, data, two).size() == 60);
  const std::string one = text_of(1, 32);
  CHECK(std::count(one.begin(), one.end(), '\n') == 60);
  CHECK(one.find("successful") != one.npos);
  CHECK(one.find("failed") != one.npos);
  CHECK(one.find("skipped") != one.npos);
  for (const index_t threads : {1, 2, 3})
    for (const index_t batch : {1, 5}) CHECK(text_of(threads, batch) == one);
}

TEST_CASE("of pairs the second text is attacked, also where it is empty") {
  const Dataset data({{"a great film", "a great film", 1}, {"a great film", "", 1}}, {"bad", "good"});
  REQUIRE(data.has_pairs());
  const auto results = attack_of().each(toy, data);
  REQUIRE(results.size() == 2);
  for (const auto& result : results) CHECK(result.fixed == "a great film");
  CHECK(results[0].counts.words == 3);
  CHECK(results[1].counts.words == 0);
  CHECK(results[1].perturbed.empty());
}

TEST_CASE("results are handed on in order, without a gap") {
  std::vector<index_t> heard;
  const auto sink = [&](index_t i, const AttackResult&) { heard.push_back(i); };
  detail::InOrder ordered(sink);
  ordered.put(1, {}), ordered.put(0, {}), ordered.put(3, {});
  CHECK(heard == std::vector<index_t>{0, 1});
}

TEST_CASE("a listener stops a run: what has begun is finished") {
  struct StopAfter final : ProgressListener {
    index_t most, heard = 0;
    explicit StopAfter(index_t n) : most(n) {}
    void progress(index_t done, index_t) override { heard = done; }
    bool stop_requested() override { return heard >= most; }
  };
  const Dataset data(std::vector<Example>(10, Example{"a great film", {}, 1}), {"bad", "good"});
  StopAfter listener(4);
  std::vector<index_t> seen;
  attack_of().each(
      toy, data, [&](index_t i, const AttackResult&) { seen.push_back(i); }, Workers(), &listener);
  CHECK(seen == std::vector<index_t>{0, 1, 2, 3});
}
