// Characters as the pieces of a WordPiece model, and random pieces in place of guesses.
#include "knnbert/attack/masked_characters.hpp"

#include <set>

#include "knnbert/attack/random_pieces.hpp"
#include "knnbert/attack/recipes.hpp"
#include "pretrain/tiny_masked.hpp"

using namespace knnbert_test;

namespace {

using Units = std::vector<std::string>;

/// [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4.
MaskedLanguageModel model_of_characters() {
  const std::vector<std::string> tokens{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "酒", "店", "##店",
                                        "很",    "大",    "小",    "ab",    "。",     "差", "##c"};
  return {WordPiece(Vocabulary(tokens)), tiny_masked_config(std::ssize(tokens)), {.seed = 9}};
}

/// Cuts a text into its characters and knows nothing.
struct CharactersAlone {
  Units units(std::string_view text) const {
    Units all;
    for (const char32_t code : characters_of(text)) unicode::encode(code, all.emplace_back());
    return all;
  }
  PieceGuesses guesses(std::span<const std::string>, index_t) const { return {}; }
};

}  // namespace

TEST_CASE("units of a model over characters are the Chinese characters and what stands between") {
  const auto model = model_of_characters();
  const MaskedCharacters source{&model};
  CHECK(source.units("酒店很大") == Units{"酒", "店", "很", "大"});
  CHECK(source.units("ab 酒。\n店!") == Units{"ab ", "酒", "。\n", "店", "!"});
  CHECK(source.units("").empty());
  for (const char* text : {" x 酒\n店\t\t", "\xff很\xfe", "ab"}) {
    std::string joined;
    for (const auto& unit : source.units(text)) joined += unit;
    CHECK(joined == text);
  }
}

TEST_CASE("guesses for characters are the model's, without pieces that continue a word") {
  const auto model = model_of_characters();
  const MaskedCharacters source{&model};
  const Units units = source.units("ab酒。大");
  const PieceGuesses all = source.guesses(units, 100);
  CHECK(all.words == std::vector<index_t>{0, 1, 2, 3});
  const Matrix logits = model.logits("ab酒。大");
  REQUIRE(all.best.size() == 4);
  for (index_t p = 0; p < 4; ++p) {
    const auto& best = all.best[as_size(p)];
    CHECK(best.size() == 8);  // of 15 tokens five are special and two continue words
    for (const PieceGuess& guess : best) CHECK(guess.logit == logits(p + 1, guess.id));
  }
  const auto vocabulary = source.vocabulary();
  CHECK(vocabulary.size() == 13);
  CHECK(std::find(vocabulary.begin(), vocabulary.end(), "##店") == vocabulary.end());
  const FromPieceModel<MaskedCharacters<>> transformation{.model = &source};
  const auto candidates = transformation.of(units);
  CHECK(candidates(0).empty());
  CHECK(candidates(1).size() == 6);
  CHECK(candidates(2).empty());
}

TEST_CASE("unknown characters have no guesses") {
  const auto model = model_of_characters();
  const MaskedCharacters source{&model};
  const Units units = source.units("酒龘");
  const PieceGuesses all = source.guesses(units, 100);
  REQUIRE(all.best.size() == 2);
  CHECK_FALSE(all.best[0].empty());
  CHECK(all.best[1].empty());
}

TEST_CASE("random pieces are Chinese, depend on the seed, the text and the place, and on nothing else") {
  const CharactersAlone cutter;
  Units vocabulary{"[CLS]", "ab", "", "。"};
  for (char32_t code = 0x4e00; code < 0x4e00 + 1000; ++code) unicode::encode(code, vocabulary.emplace_back());
  const RandomPieces random(cutter, vocabulary, 7);
  const Units units = random.units("酒店a大");
  REQUIRE(units == Units{"酒", "店", "a", "大"});
  const auto pieces_of = [&](const RandomPieces<CharactersAlone>& source, const Units& text, std::size_t place) {
    Units pieces;
    const PieceGuesses all = source.guesses(text, 40);
    for (const auto& guess : all.best.at(place)) pieces.push_back(guess.piece);
    return pieces;
  };
  CHECK(random.guesses(units, 40).words == std::vector<index_t>{0, 1, 3});
  const Units first = pieces_of(random, units, 0);
  REQUIRE(first.size() == 40);
  for (const auto& piece : first) CHECK(has_chinese(piece));
  CHECK(std::set<std::string>(first.begin(), first.end()).size() > 30);
  CHECK(first == pieces_of(random, units, 0));
  CHECK(first != pieces_of(random, units, 1));
  CHECK(first != pieces_of(random, {"酒", "店", "a", "小"}, 0));
  CHECK(first != pieces_of(RandomPieces(cutter, vocabulary, 8), units, 0));
  CHECK(RandomPieces(cutter, {"ab", "."}, 7).guesses(units, 40).words.empty());

  // The attack: a victim that only the loss of 店 turns.
  const auto victim = [](std::span<const std::string> texts) {
    Matrix rows(std::ssize(texts), 2);
    for (index_t i = 0; i < rows.rows(); ++i) {
      rows(i, 0) = texts[as_size(i)].find("店") != std::string::npos ? 0.75f : 0.25f;
      rows(i, 1) = 1 - rows(i, 0);
    }
    return rows;
  };
  const StopWords none(Units{});
  const AttackResult r = sentence_piece(random, none)(victim, {"ab酒店大", {}, 0});
  CHECK(r.counts.status == AttackStatus::successful);
  REQUIRE(r.changes.size() == 1);
  CHECK(r.changes[0].from == "店");
  CHECK(r.changes[0].begin == 3);
  CHECK(r.changes[0].to == pieces_of(random, random.units("ab酒店大"), 1).front());
  CHECK(r.counts.characters == 5);
  CHECK(r.counts.edits == 1);
}
