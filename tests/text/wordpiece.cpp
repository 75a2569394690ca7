#include "knnbert/text/wordpiece.hpp"

#include "catch.hpp"

using namespace knnbert;

namespace {

using Ids = std::vector<token_t>;

const std::vector<std::string> tokens{"[PAD]",  "[UNK]",  "[CLS]",  "[SEP]",  "[MASK]", "un",    "##aff",
                                      "##able", "##a",    "a",      "want",   "##want", "##ed",  "wa",
                                      "run",    "##ning", ",",      "low",    "lowest", "##est", "[",
                                      "]",      "mask",   "##mask", "\u4e2d", "\u6587"};

WordPiece make(WordPieceOptions options = {}) { return WordPiece(Vocabulary(tokens), std::move(options)); }

Ids encode(const WordPiece& tokenizer, std::string_view text, index_t max_length = 0) {
  Batch batch;
  tokenizer.append(text, batch, max_length);
  REQUIRE(batch.size() == 1);
  REQUIRE(batch.tokens() == std::ssize(batch.ids));
  REQUIRE(batch.segments == std::vector<std::uint8_t>(batch.ids.size(), 0));
  return batch.ids;
}

}  // namespace

// Expected ids: tokenizers 0.23.3 with the same vocabulary.

TEST_CASE("texts become pieces between [CLS] and [SEP]") {
  const auto tokenizer = make();
  CHECK(encode(tokenizer, "UNwant\u00c9d,running") == Ids{2, 5, 11, 12, 16, 14, 15, 3});
  CHECK(encode(tokenizer, "unaffable") == Ids{2, 5, 6, 7, 3});
  CHECK(encode(tokenizer, "lowest low lowed") == Ids{2, 18, 17, 17, 12, 3});
  CHECK(encode(tokenizer, "unx a") == Ids{2, 1, 9, 3});
  CHECK(encode(tokenizer, "\u4e2d\u6587a") == Ids{2, 24, 25, 9, 3});
  CHECK(encode(tokenizer, "") == Ids{2, 3});
  CHECK(encode(tokenizer, std::string(100, 'a')).size() == 102);
  CHECK(encode(tokenizer, std::string(101, 'a')) == Ids{2, 1, 3});
  Ids ids{42};
  tokenizer.encode_words("a unx", ids);
  CHECK(ids == Ids{42, 9, 1});
}

TEST_CASE("special tokens in a text are text unless asked otherwise") {
  CHECK(encode(make(), "[MASK]") == Ids{2, 20, 22, 21, 3});
  CHECK(encode(make(), "[CLS] a") == Ids{2, 20, 1, 21, 9, 3});
  const auto matching = make({.matching = AddedTokenMatching::all});
  CHECK(encode(matching, "a[MASK]a [CLS][mask]") == Ids{2, 9, 4, 9, 2, 20, 22, 21, 3});
  const auto ordinary = make({.matching = AddedTokenMatching::ordinary});
  CHECK(encode(ordinary, "[MASK]") == Ids{2, 20, 22, 21, 3});
}

TEST_CASE("texts are cut at the limit, special tokens included") {
  const auto tokenizer = make();
  CHECK(encode(tokenizer, "unaffable low", 2) == Ids{2, 3});
  CHECK(encode(tokenizer, "unaffable low", 4) == Ids{2, 5, 6, 3});
  CHECK(encode(tokenizer, "unaffable low", 6) == Ids{2, 5, 6, 7, 17, 3});
  CHECK(encode(tokenizer, "unaffable low", 1000) == Ids{2, 5, 6, 7, 17, 3});
  Batch batch;
  CHECK_THROWS_AS(tokenizer.append("a", batch, 1), OptionError);
  CHECK_THROWS_AS(tokenizer.append("a", batch, -1), OptionError);
  CHECK_THROWS_AS(tokenizer.append("a", "b", batch, 2), OptionError);
  CHECK(batch.ids.empty());
}

TEST_CASE("of a pair the longer text is cut first") {
  const auto tokenizer = make();
  struct Case {
    index_t max_length;
    Ids ids;
    index_t first;  // tokens of segment 0
  };
  const Case cases[] = {{0, {2, 5, 6, 7, 17, 3, 10, 12, 16, 14, 15, 17, 3}, 6},
                        {3, {2, 3, 3}, 2},
                        {4, {2, 3, 10, 3}, 2},
                        {5, {2, 5, 3, 10, 3}, 3},
                        {7, {2, 5, 6, 3, 10, 12, 3}, 4},
                        {8, {2, 5, 6, 3, 10, 12, 16, 3}, 4},
                        {9, {2, 5, 6, 7, 3, 10, 12, 16, 3}, 5},
                        {10, {2, 5, 6, 7, 3, 10, 12, 16, 14, 3}, 5}};
  for (const auto& [max_length, ids, first] : cases) {
    Batch batch;
    tokenizer.append("a", batch);
    tokenizer.append("unaffable low", "wanted, running low", batch, max_length);
    CHECK(batch.size() == 2);
    CHECK(Ids(batch.ids.begin() + 3, batch.ids.end()) == ids);
    const auto ones = std::count(batch.segments.begin(), batch.segments.end(), 1);
    CHECK(ones == std::ssize(ids) - first);
    CHECK(batch.segments[static_cast<std::size_t>(3 + first)] == 1);
    CHECK(batch.segments.size() == batch.ids.size());
  }
}

TEST_CASE("a tokenizer knows its tokens") {
  const auto tokenizer = make({.added_tokens = {{.content = "[X]", .id = 26}, {.content = "low", .id = 17}}});
  CHECK(tokenizer.vocabulary_size() == 27);
  CHECK(tokenizer.special().unknown == 1);
  CHECK(tokenizer.special().classify == 2);
  CHECK(tokenizer.special().separate == 3);
  CHECK(tokenizer.special().pad == 0);
  CHECK(tokenizer.special().mask == 4);
  CHECK(tokenizer.token(6) == "##aff");
  CHECK(tokenizer.token(26) == "[X]");
  CHECK(tokenizer.find("[X]") == 26);
  CHECK(tokenizer.find("##aff") == 6);
  CHECK_FALSE(tokenizer.find("nothing").has_value());
  CHECK_THROWS_AS(tokenizer.token(27), OptionError);
  CHECK_THROWS_AS(tokenizer.token(-1), OptionError);
}

TEST_CASE("impossible vocabularies and options are refused") {
  const std::vector<std::string> few{"[UNK]", "[CLS]", "a"}, enough{"[UNK]", "[CLS]", "[SEP]"};
  CHECK_THROWS_AS(WordPiece(Vocabulary(few)), OptionError);
  const WordPiece small{Vocabulary(enough)};
  CHECK(small.special().pad == -1);
  CHECK(small.special().mask == -1);
  CHECK_THROWS_AS(make({.max_characters_per_word = 0}), OptionError);
  CHECK_THROWS_AS(make({.added_tokens = {{.content = "[X]", .id = 25}}}), OptionError);  // another token's id
  CHECK_THROWS_AS(make({.added_tokens = {{.content = "low", .id = 26}}}), OptionError);  // has an id already
  CHECK_THROWS_AS(make({.added_tokens = {{.content = "x", .id = 26}, {.content = "y", .id = 26}}}), OptionError);
}

TEST_CASE("hostile texts cost no more than their length") {
  const auto tokenizer =
      make({.added_tokens = {{.content = "\t[[", .id = 26, .strip_left = true}}, .matching = AddedTokenMatching::all});
  constexpr std::size_t length = 2'000'000;
  std::string marks;
  for (std::size_t i = 0; i < length / 4; ++i) marks += i % 2 ? "\u302e" : "\U0001d165";
  for (const std::string& text :
       {std::string(length, 'a'), std::string(length, '['), std::string(length, '\t'), std::string(length, '\0'),
        std::string(length, '\xf0'), std::string(length, ' '), marks}) {
    CHECK(encode(tokenizer, text, 512).size() <= 512);
    CHECK(encode(tokenizer, text).size() <= length + 2);
  }
}
