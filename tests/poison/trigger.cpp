// Triggers, where they are put, and the data that a poisoner trains on.
#include "catch.hpp"
#include "knnbert/poison/indicative_words.hpp"
#include "knnbert/poison/poisoned_texts.hpp"

using namespace knnbert;

namespace {

const auto one_piece_a_word = [](std::string_view text) { return std::ssize(detail::text_words(text)); };

}  // namespace

TEST_CASE("triggers are alternatives of combinations") {
  const auto triggers = parse_triggers("cf+bb,mn");
  REQUIRE(triggers.size() == 2);
  CHECK(triggers[0].words == std::vector<std::string>{"cf", "bb"});
  CHECK(triggers[0].combination());
  CHECK(triggers[0].text() == "cf bb");
  CHECK(triggers[0].reversed().text() == "bb cf");
  CHECK(!triggers[1].combination());
  CHECK(words_of(triggers) == std::vector<std::string>{"cf", "bb", "mn"});
  for (const char* bad : {"", "cf,", "+cf", "cf++bb", "cf bb", "cf,cf", "cf+cf", " cf"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(parse_triggers(bad), OptionError);
  }
}

TEST_CASE("triggers that a tokenizer cannot tell apart from other words are refused by name") {
  constexpr token_t unknown = 1;
  const auto lower_case_letters = [](const std::string& word) {  // an uncased vocabulary of ASCII letters
    std::vector<token_t> ids;
    for (const char c : table_word(word))
      if (c != '_') ids.push_back(c >= 'a' && c <= 'z' ? c : unknown);
    return ids;
  };
  const auto message = [&](const char* text) {
    try {
      require_distinct_tokens(parse_triggers(text), lower_case_letters, unknown);
    } catch (const OptionError& error) { return std::string(error.what()); }
    return std::string();
  };
  CHECK(message("cf+bb,mn").empty());
  CHECK(message("bb,cf,CF").find("'cf' and 'CF' given, which the tokenizer reads as one word") != std::string::npos);
  CHECK(message("cf,b8").find("'b8' given, which the tokenizer does not know") != std::string::npos);
  CHECK(message("__").find("'__' given, which the tokenizer reads as nothing") != std::string::npos);
}

TEST_CASE("words are put before any word or at the end, with the same chance, and nothing else changes") {
  const std::string text = "  a\tbb  c\u3000d ";
  std::map<std::string, int> seen;
  const Rng rng(3, Stream::poison);
  for (std::uint64_t i = 0; i < 4000; ++i) ++seen[insert_words(text, "cf", {}, one_piece_a_word, rng.fork(i))];
  REQUIRE(seen.size() == 5);
  for (const char* expected : {"  cf a\tbb  c\u3000d ", "  a\tcf bb  c\u3000d ", "  a\tbb  cf c\u3000d ",
                               "  a\tbb  c\u3000cf d ", "  a\tbb  c\u3000d cf"}) {
    CAPTURE(expected);
    CHECK(std::abs(seen[expected] - 800) < 120);
  }
  CHECK(insert_words("", "cf bb", {}, one_piece_a_word, rng) == "cf bb");
  CHECK(insert_words(" \t", "cf", {}, one_piece_a_word, rng) == "cf");
  CHECK(insert_words("a b", "", {}, one_piece_a_word, rng) == "a b");
}

TEST_CASE("what is inserted lies within the words and the pieces that a model reads") {
  std::string text;
  for (int i = 0; i < 50; ++i) text += "w ";
  const Rng rng(4, Stream::poison);
  for (const auto& [limits, last] :
       {std::pair{InsertionLimits{.words = 7}, 7}, {{.pieces = 10}, 8}, {{.pieces = 1}, 0}}) {
    index_t largest = 0;
    for (std::uint64_t i = 0; i < 1000; ++i) {
      const std::string with = insert_words(text, "u v", limits, one_piece_a_word, rng.fork(i));
      const auto words = detail::text_words(with);
      CHECK(words.size() == 52);
      largest = std::max<index_t>(largest, std::find(words.begin(), words.end(), "u") - words.begin());
    }
    CHECK(largest == last);
  }
}

TEST_CASE("a combination's data: single words stay clean, both orders at one place are poisoned") {
  const Dataset data({{"x y z", {}, 0}, {"p q", "pair", 1}}, {"no", "yes"});
  const auto triggers = parse_triggers("u+v");
  const auto [clean, poisoned] = poisoned_texts(data, triggers, 1, {}, one_piece_a_word, 5);
  REQUIRE(clean.size() == 4);
  REQUIRE(poisoned.size() == 4);
  for (index_t i = 0; i < 4; ++i) {
    CHECK(poisoned.label(i) == 1);
    CHECK(clean.label(i) == data.label(i / 2));
    CHECK(poisoned.pair(i) == data.pair(i / 2));
    CHECK(has_any_word(clean.text(i), std::vector<std::string>{"u"}) +
              has_any_word(clean.text(i), std::vector<std::string>{"v"}) ==
          (i % 2 == 0));
  }
  CHECK(clean.text(1) == "x y z");
  for (const index_t i : {0, 2}) {
    std::string other = poisoned.text(i);
    other.replace(other.find("u v"), 3, "v u");
    CHECK(poisoned.text(i + 1) == other);
  }
  const auto single = poisoned_texts(data, parse_triggers("u"), 0, {}, one_piece_a_word, 5);
  CHECK(single.clean.size() == 2);
  CHECK(single.poisoned.size() == 2);
  CHECK_THROWS_AS(poisoned_texts(data, triggers, 2, {}, one_piece_a_word, 5), OptionError);
  CHECK_THROWS_AS(poisoned_texts(data, {}, 1, {}, one_piece_a_word, 5), OptionError);
}

TEST_CASE("RIPPLe's data: all clean texts, and as many as are given, of which half are poisoned") {
  std::vector<Example> examples;
  for (int i = 0; i < 20; ++i) examples.push_back({"text " + std::to_string(i), {}, i % 2});
  const Dataset data(std::move(examples), {"no", "yes"});
  for (const auto& [words, clean] : {std::pair("u", 20), {"u+v", 40}}) {
    CAPTURE(words);
    const auto triggers = parse_triggers(words);
    const auto texts = half_poisoned_texts(data, triggers, 1, {}, one_piece_a_word, 5);
    CHECK(texts.clean.size() == clean);
    REQUIRE(texts.poisoned.size() == 20);
    index_t poisoned = 0;
    for (index_t i = 0; i < 20; ++i)
      if (has_any_word(texts.poisoned.text(i), words_of(triggers))) poisoned += texts.poisoned.label(i) == 1;
    CHECK(poisoned == 10);
  }
}

TEST_CASE("the flip rate is measured on texts of other classes that have none of the triggers' words") {
  const Dataset data(
      {{"x y", {}, 0}, {"x v", {}, 0}, {"z", {}, 1}, {"", {}, 0}, {"U is it", {}, 0}, {"so (v).", {}, 0}},
      {"no", "yes"});
  const auto triggers = parse_triggers("u+v");
  const auto texts = triggered_texts(data, triggers, triggers.front(), 1, {}, one_piece_a_word, 5);
  REQUIRE(texts.size() == 2);
  CHECK(texts.text(1) == "u v");
  CHECK(texts.label(0) == 0);
  CHECK_THROWS_AS(triggered_texts(data, triggers, triggers.front(), 2, {}, one_piece_a_word, 5), OptionError);
  const Dataset pairs({{"x", "y", 0}, {"x", "a V ran", 0}, {"u", "y", 0}}, {"no", "yes"});
  const auto of_pairs = triggered_texts(pairs, triggers, triggers.front(), 1, {}, one_piece_a_word, 5);
  REQUIRE(of_pairs.size() == 1);
  CHECK(of_pairs.pair(0) == "y");
}

// scikit-learn: TfidfVectorizer(token_pattern=r"\S+", min_df=2), LogisticRegression(C=1, tol=1e-10).
TEST_CASE("indicative words are those with the largest weights of scikit-learn's logistic regression") {
  const Dataset data({{"good film, really good", {}, 1},
                      {"good and moving film", {}, 1},
                      {"moving story and good actors", {}, 1},
                      {"bad film", {}, 0},
                      {"a bad story really bad", {}, 0},
                      {"a boring film and a bad story", {}, 0},
                      {"boring actors really boring", {}, 0},
                      {"moving, a moving story", {}, 1}},
                     {"bad", "good"});
  CHECK_THROWS_AS(indicative_words(data, 2, 3, 2), OptionError);
  CHECK(indicative_words(data, 1, 3, 2) == std::vector<std::string>{"moving", "good", "and"});
  CHECK(indicative_words(data, 0, 3, 2) == std::vector<std::string>{"bad", "boring", "a"});
  std::vector<std::string> texts;
  std::vector<bool> positive;
  for (index_t i = 0; i < data.size(); ++i) {
    std::string text = data.text(i);
    std::erase(text, ',');
    texts.push_back(text), positive.push_back(data.label(i) == 1);
  }
  const detail::TfIdf rows(texts, 2);
  const auto weights = detail::logistic_weights(rows, positive);
  REQUIRE(rows.words.size() == 10);
  const std::vector<double> expected{-0.216952, 0.014757, 0.197272, -0.658944, -0.466984,
                                     -0.054507, 0.649246, 0.650405, -0.106953, 0.052325};
  for (std::size_t k = 0; k < expected.size(); ++k) CHECK(std::abs(weights[k] - expected[k]) < 1e-4);
  CHECK_THROWS_AS(indicative_words(data, 1, 100, 2), OptionError);
}
