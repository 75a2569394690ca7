#include "knnbert/text/unigram.hpp"

#include <limits>

#include "catch.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/io/base64.hpp"
#include "text/damage.hpp"

using namespace knnbert;
using namespace knnbert_test;

namespace {

using UnigramPieces = std::vector<std::string>;

/// <s> 0, <pad> 1, </s> 2, <unk> 3, <mask> 4.
const UnigramPieces few_pieces{"<s>", "<pad>", "</s>", "<unk>",   "<mask>", "\u2581",
                               "a",   "b",     "ab",   "\u2581a", "bc",     "abc"};
const std::vector<double> few_scores{0, 0, 0, 0, 0, -2, -3, -3, -4, -4, -5, -9};

Unigram few_unigram(UnigramOptions options = {}) {
  return Unigram(Vocabulary(few_pieces), few_scores, std::move(options));
}

UnigramPieces unigram_pieces(const Unigram& tokenizer, std::string_view text) {
  std::vector<token_t> ids;
  tokenizer.encode_words(text, ids);
  UnigramPieces pieces;
  for (const auto id : ids) pieces.emplace_back(tokenizer.token(id));
  return pieces;
}

/// What each piece stands for.
UnigramPieces unigram_parts(const Unigram& tokenizer, std::string_view text) {
  UnigramPieces parts;
  for (const auto& piece : tokenizer.spans(text)) parts.emplace_back(text.substr(piece.begin, piece.end - piece.begin));
  return parts;
}

std::string unit_text(std::uint32_t unit) {
  std::string bytes;
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(unit >> 8 * i & 0xff);
  return bytes;
}

/// The map of one ASCII character to a text: a trie of 512 units, its only leaf at a unit with a place in the text.
std::string one_character_map(char from, const std::string& to, std::uint32_t leaf = 1, std::uint32_t place = 0) {
  std::vector<std::uint32_t> units(512, 0);
  const auto byte = static_cast<std::uint32_t>(static_cast<unsigned char>(from));
  units[0] = 256u << 10;  // the root's children are at 256 ^ byte
  units[256 ^ byte] = (256u ^ byte ^ leaf) << 10 | 1u << 8 | byte;
  if (leaf < 512) units[leaf] = 1u << 31 | place;
  auto bytes = unit_text(512 * 4);
  for (const auto unit : units) bytes += unit_text(unit);
  return bytes + to + '\0';
}

}  // namespace

TEST_CASE("of all ways to cut a word the one of the largest sum is taken, of equal ones the longest first piece") {
  CHECK(unigram_pieces(few_unigram(), "").empty());
  CHECK(unigram_pieces(few_unigram(), "ab") == UnigramPieces{"\u2581", "ab"});
  CHECK(unigram_pieces(few_unigram(), "abc  a\tb") == UnigramPieces{"\u2581a", "bc", "\u2581a", "\u2581", "b"});
  CHECK(unigram_pieces(few_unigram(), "axyb") == UnigramPieces{"\u2581a", "<unk>", "b"});
  CHECK(unigram_pieces(few_unigram(), "\xff\u4e2d") == UnigramPieces{"\u2581", "<unk>"});
  CHECK(unigram_pieces(few_unigram(), "<s>") == UnigramPieces{"\u2581", "<s>"});
  auto scores = few_scores;
  scores[8] = -6;
  CHECK(unigram_pieces(Unigram(Vocabulary(few_pieces), scores), "bab") == UnigramPieces{"\u2581", "b", "ab"});
  scores[8] = -6.001;
  CHECK(unigram_pieces(Unigram(Vocabulary(few_pieces), scores), "bab") == UnigramPieces{"\u2581", "b", "a", "b"});
}

TEST_CASE("characters without a piece become their bytes if all of these are there") {
  auto tokens = few_pieces;
  auto scores = few_scores;
  for (const auto* byte : {"<0xC3>", "<0xA9>", "<0xC2>"}) tokens.push_back(byte), scores.push_back(-20);
  const Unigram tokenizer(Vocabulary(tokens), scores, {.byte_fallback = true});
  CHECK(unigram_pieces(tokenizer, "a\u00e9b") == UnigramPieces{"\u2581a", "<0xC3>", "<0xA9>", "b"});
  CHECK(unigram_pieces(tokenizer, "a\u00e9\u00e8b") == UnigramPieces{"\u2581a", "<unk>", "b"});
  CHECK(unigram_parts(tokenizer, "a\u00e9b") == UnigramPieces{"a", "\u00e9", "", "b"});
  CHECK(unigram_pieces(Unigram(Vocabulary(tokens), scores), "\u00e9") == UnigramPieces{"\u2581", "<unk>"});
}

TEST_CASE("spans are the bytes of the original text") {
  CHECK(unigram_parts(few_unigram(), " abc \n xyb") == UnigramPieces{"a", "bc", "", "xy", "b"});
  CHECK(unigram_parts(few_unigram(), "").empty());
  const Unigram lower =
      few_unigram({.normalizer = {{.kind = NormalizationStep::nfkc}, {.kind = NormalizationStep::lowercase}}});
  CHECK(unigram_parts(lower, "\uff21\uff22 \u212b") == UnigramPieces{"", "\uff21\uff22", "", "\u212b"});
  const Unigram map =
      few_unigram({.normalizer = {{.kind = NormalizationStep::precompiled, .content = one_character_map('k', "abc")}}});
  CHECK(unigram_pieces(map, "k") == UnigramPieces{"\u2581a", "bc"});
  CHECK(unigram_parts(map, "k b") == UnigramPieces{"k", "", "", "b"});
  const auto spans = few_unigram().spans(
      "b\xff\xfe"
      "a");
  REQUIRE(spans.size() == 4);
  CHECK(spans[2] == PieceSpan{3, 1, 3});
  CHECK(spans[3] == PieceSpan{6, 3, 4});
  const Unigram added =
      few_unigram({.added_tokens = {{.content = "<x>", .id = 20, .special = false, .strip_left = true}}});
  CHECK(unigram_parts(added, "ab <x>b") == UnigramPieces{"", "ab", "<x>", "", "b"});
}

TEST_CASE("texts and pairs are framed and cut as XLM-R's are, or with segments") {
  Batch batch;
  few_unigram().append("ab b", batch);
  few_unigram().append("ab b", batch, 4);
  few_unigram().append("a a a", "a", batch, 6);
  CHECK(batch.ids == std::vector<token_t>{0, 5, 8, 5, 7, 2, 0, 5, 8, 2, 0, 9, 2, 2, 9, 2});
  CHECK(batch.segments == std::vector<std::uint8_t>(16, 0));
  CHECK_THROWS_AS(few_unigram().append("a", batch, 1), OptionError);
  CHECK_THROWS_AS(few_unigram().append("a", "a", batch, 3), OptionError);
  batch.clear();
  few_unigram({.segments = true}).append("a", "a a", batch, 5);
  CHECK(batch.ids == std::vector<token_t>{0, 9, 2, 9, 2});
  CHECK(batch.segments == std::vector<std::uint8_t>{0, 0, 0, 1, 1});
}

TEST_CASE("wrong options of a unigram tokenizer are errors") {
  const auto made = [](std::vector<double> scores, UnigramOptions options = {}) {
    return Unigram(Vocabulary(few_pieces), std::move(scores), std::move(options));
  };
  auto scores = few_scores;
  scores[7] = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(made(scores), OptionError);
  scores[7] = -std::numeric_limits<double>::infinity();
  CHECK_THROWS_AS(made(scores), OptionError);
  scores.pop_back();
  CHECK_THROWS_AS(made(scores), OptionError);
  CHECK_THROWS_AS(Unigram(Vocabulary(), {}), OptionError);
  CHECK_THROWS_AS(few_unigram({.unknown_token = "<none>"}), OptionError);
  CHECK_THROWS_AS(few_unigram({.classify_token = "<none>"}), OptionError);
  CHECK_THROWS_AS(few_unigram({.pre_tokenizer = {{.text = ""}}}), OptionError);
  CHECK_THROWS_AS(few_unigram({.pre_tokenizer = {{.text = "ab"}}}), OptionError);
  for (const std::string pattern : {"", "a|b", "[ab]", "a{2}", "a{,2}", "a*", "\\w", "(a)", ".", "a{99999,}", "ab"})
    CHECK_THROWS_AS(
        few_unigram({.normalizer = {{.kind = NormalizationStep::replace, .pattern = pattern, .regex = true}}}),
        OptionError);
}

TEST_CASE("broken maps of characters are errors") {
  const auto error_of = [](const std::string& map) {
    try {
      CharacterMap{map};
    } catch (const OptionError& error) { return std::string(error.what()); }
    return std::string();
  };
  const auto whole = one_character_map('k', "abc");
  CHECK(error_of(whole).empty());
  CHECK(error_of(one_character_map('k', "abc", 1, 4)).empty());  // an empty replacement, at the very end
  for (const auto size : std::vector<std::size_t>{0, 3, 4, 100, 2051})
    CHECK(contains(error_of(whole.substr(0, size)), "a trie of"));
  CHECK(contains(error_of(one_character_map('k', "abc", 512)), "leads to unit 767"));
  CHECK(contains(error_of(one_character_map('k', "abc", 1u << 20)), "leads to unit"));
  CHECK(contains(error_of(one_character_map('k', "abc", 1, 5)), "replacement at byte 5 given"));
  CHECK(contains(error_of(one_character_map('k', "\u00e9", 1, 1)), "replacement at byte 1 given"));
  CHECK(contains(error_of(one_character_map('k', "\xff")), "malformed UTF-8"));
  for (int round = 0; round < 300; ++round) {
    const auto map = damaged(whole, 3, round);
    if (!error_of(map).empty()) continue;
    AlignedText from, to;
    from.assign("kk\u00e9 \r\nk\u0301", 0, false);
    CharacterMap{map}(from.view(), to);
  }
}

TEST_CASE("base64 is read and written, and nothing else read") {
  for (const std::string bytes : {"", "a", "ab", "abc", "\xff\xfe\xfd\xfc"})
    CHECK(from_base64(to_base64(bytes)) == bytes);
  CHECK(to_base64("ab") == "YWI=");
  for (const auto* text : {"a", "YWI", "YW=I", "YWJ=", "YW\nI", "====", "Y===", "YW I"}) CHECK(!from_base64(text));
}

TEST_CASE("a text that normalizers would make many times as long is refused") {
  const NormalizationStep twice{.kind = NormalizationStep::replace, .pattern = "a", .content = "aa"};
  const NormalizerSequence grows(std::vector<NormalizationStep>(40, twice));
  CHECK_THROWS_AS(grows.normalize("a cat"), FormatError);
  CHECK(grows.normalize("the dog") == "the dog");
  const NormalizerSequence at_once(
      {NormalizationStep{.kind = NormalizationStep::replace, .pattern = "a", .content = std::string(1 << 16, 'b')}});
  CHECK_THROWS_AS(at_once.normalize(std::string(1 << 12, 'a')), FormatError);
}

TEST_CASE("a long piece takes one unit of the trie for each byte") {
  const PieceTrie trie(Vocabulary(UnigramPieces{"b", "abc", std::string(100000, 'a')}));
  CHECK(trie.units() < 200000);
  std::vector<std::pair<std::size_t, token_t>> found;
  const auto on_piece = [&](std::size_t length, token_t id) { found.emplace_back(length, id); };
  trie("abcd", on_piece), trie(std::string(100000, 'a') + "b", on_piece), trie(std::string(99999, 'a'), on_piece);
  CHECK(found == std::vector<std::pair<std::size_t, token_t>>{{3, 1}, {100000, 2}});
}

TEST_CASE("a million characters without a blank take linear time") {
  std::string text, unknown;
  for (int i = 0; i < 500'000; ++i) text += "ab", unknown += "\u4e2d";
  std::vector<token_t> ids;
  few_unigram().encode_words(text, ids);
  CHECK(ids.size() == 500'001);
  ids.clear();
  few_unigram().encode_words(unknown, ids);
  CHECK(ids == std::vector<token_t>{5, 3});
  CHECK(few_unigram().spans(unknown).back() == PieceSpan{3, 0, unknown.size()});
}
