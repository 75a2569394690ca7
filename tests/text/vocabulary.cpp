#include "knnbert/text/vocabulary.hpp"

#include "catch.hpp"
#include "knnbert/text/greedy_pieces.hpp"

using namespace knnbert;

TEST_CASE("a vocabulary finds each token by name and by id") {
  std::vector<std::string> tokens;
  for (int i = 0; i < 5000; ++i) tokens.push_back("t" + std::to_string(i * 7));
  const Vocabulary vocabulary(tokens);
  REQUIRE(vocabulary.size() == 5000);
  for (token_t id = 0; id < 5000; ++id) {
    REQUIRE(vocabulary.token(id) == tokens[static_cast<std::size_t>(id)]);
    REQUIRE(vocabulary.find(vocabulary.token(id)) == id);
  }
  for (const auto name : {"", "t", "t1", "t34994", "x0"}) CHECK_FALSE(vocabulary.find(name).has_value());
  CHECK_THROWS_AS(vocabulary.token(-1), OptionError);
  CHECK_THROWS_AS(vocabulary.token(5000), OptionError);
}

TEST_CASE("of equal tokens the last one is found, empty ones never") {
  const std::vector<std::string> tokens{"a", "", "b", "a", ""};
  const Vocabulary vocabulary(tokens);
  CHECK(vocabulary.size() == 5);
  CHECK(vocabulary.find("a") == 3);
  CHECK(vocabulary.find("b") == 2);
  CHECK_FALSE(vocabulary.find("").has_value());
  CHECK(vocabulary.token(0) == "a");
  CHECK(vocabulary.token(4).empty());
  CHECK_FALSE(Vocabulary().find("a").has_value());
}

TEST_CASE("a token is found in two parts by the hash of both") {
  const std::vector<std::string> tokens{"##ing", "ing"};
  const Vocabulary vocabulary(tokens);
  const auto hash = Vocabulary::extend(Vocabulary::hash("##in"), 'g');
  CHECK(vocabulary.find(hash, "##", "ing") == 0);
  CHECK(vocabulary.find(hash, "##i", "ng") == 0);
  CHECK(vocabulary.find(hash, "", "ing") == -1);
}

namespace {

std::vector<token_t> cover(const GreedyPieces& pieces, std::string_view word, index_t characters) {
  GreedyPieces::Scratch scratch;
  std::vector<token_t> ids{77};
  pieces.cover(word, characters, scratch, ids);
  REQUIRE(ids.front() == 77);
  ids.erase(ids.begin());
  return ids;
}

}  // namespace

TEST_CASE("the longest piece wins, and a word that does not work out is unknown as a whole") {
  using Ids = std::vector<token_t>;
  const std::vector<std::string> tokens{"?",   "ab", "abc", "##c", "##cd", "##d", "\u00e9", "##\u00e9\u4e2d",
                                        "##e", "##"};
  const GreedyPieces pieces(Vocabulary(tokens), "##", 0, 5);
  CHECK(cover(pieces, "ab", 2) == Ids{1});
  CHECK(cover(pieces, "abcd", 4) == Ids{2, 5});  // greedy: not ab ##cd
  CHECK(cover(pieces, "abce", 4) == Ids{2, 8});
  CHECK(cover(pieces, "abx", 3) == Ids{0});
  CHECK(cover(pieces, "x", 1) == Ids{0});
  CHECK(cover(pieces, "ab\u00e9\u4e2d", 4) == Ids{1, 7});
  CHECK(cover(pieces, "\u4e2d", 1) == Ids{0});  // no half characters
  CHECK(cover(pieces, "abcdd", 5) == Ids{2, 5, 5});
  CHECK(cover(pieces, "abcddd", 6) == Ids{0});  // too long
}
