// A masked language model over unigram pieces as the source of substitutes, and the attack that uses it.
#include "knnbert/attack/masked_pieces.hpp"

#include "knnbert/attack/recipes.hpp"
#include "pretrain/tiny_masked.hpp"

using namespace knnbert_test;

namespace {

/// <s> 0, <pad> 1, </s> 2, <unk> 3, <mask> 4, then the mark alone, latin and Chinese pieces.
Unigram chinese_pieces() {
  std::vector<std::string> pieces{"<s>",  "<pad>", "</s>", "<unk>", "<mask>", "\u2581",   "ab",   "酒店",
                                  "房间", "很",    "大",   "小",    "。",     "\u2581酒", "不错", "差"};
  std::vector<double> scores(pieces.size(), -4);
  std::fill(scores.begin(), scores.begin() + 5, 0.0);
  return Unigram(Vocabulary(pieces), scores);
}

MaskedLanguageModel model_of_pieces() { return {chinese_pieces(), tiny_masked_config(16), {.seed = 9}}; }

std::string joined_units(const std::vector<std::string>& units) {
  std::string text;
  for (const auto& unit : units) text += unit;
  return text;
}

}  // namespace

TEST_CASE("units of a piece model are the text without a gap") {
  const auto model = model_of_pieces();
  const MaskedPieces source{&model};
  CHECK(source.units("酒店很大") == std::vector<std::string>{"酒店", "很", "大"});
  CHECK(source.units("酒店  ab很 ") == std::vector<std::string>{"酒店", "  ", "ab", "很", " "});
  CHECK(source.units("").empty());
  for (const char* text : {"酒店很大。房间小", " x 酒\n店\t\t", "鱼鱼很 zz", "\xff很\xfe"})
    CHECK(joined_units(source.units(text)) == text);
  static_assert(PieceModel<MaskedPieces<>>);
}

TEST_CASE("characters that no piece stands for are units of their own and have no guesses") {
  const auto model = model_of_pieces();
  const MaskedPieces source{&model};
  const auto units = source.units("龘龘很大");
  CHECK(units == std::vector<std::string>{"龘", "龘", "很", "大"});
  CHECK(source.guesses(units, 16).words == std::vector<index_t>{2, 3});
}

TEST_CASE("guesses for pieces are the largest logits at their places") {
  const auto model = model_of_pieces();
  const MaskedPieces source{&model};
  const auto units = source.units("酒店 很大");
  REQUIRE(units == std::vector<std::string>{"酒店", " ", "很", "大"});
  const PieceGuesses all = source.guesses(units, 16);
  CHECK(all.words == std::vector<index_t>{0, 2, 3});
  const Batch batch = model.tokenize("酒店 很大");  // <s> mark 酒店 mark 很 大 </s>
  REQUIRE(batch.ids == std::vector<token_t>{0, 5, 7, 5, 9, 10, 2});
  const Matrix logits = model.logits("酒店 很大");
  const std::vector<index_t> places{2, 4, 5};
  REQUIRE(all.best.size() == 3);
  for (std::size_t p = 0; p < 3; ++p) {
    REQUIRE(all.best[p].size() == 11);  // without the five special tokens
    for (std::size_t g = 0; g < all.best[p].size(); ++g) {
      const auto& guess = all.best[p][g];
      CHECK(guess.id >= 5);
      CHECK(guess.logit == logits(places[p], guess.id));
      CHECK(guess.piece.find("\u2581") == std::string::npos);
      if (g > 0) CHECK(all.best[p][g - 1].logit >= guess.logit);
    }
  }
  const MaskedLanguageModel words(tiny_pieces(), tiny_masked_config(), {.seed = 5});
  CHECK(contains(message_of<Error>([&] { MaskedPieces{&words}.units("a"); }),
                 "WordPiece tokenizer given, Unigram expected"));
}

TEST_CASE("the sentence-piece attack replaces pieces with Chinese characters by such, of any length") {
  const auto model = model_of_pieces();
  const MaskedPieces source{&model};
  const std::vector<std::string> stay{"大"};
  const StopWords stop_words(stay);
  std::vector<std::string> asked;
  const auto victim = [&](std::span<const std::string> texts) {  // sure as long as the room is there
    Matrix rows(std::ssize(texts), 2);
    for (index_t i = 0; i < rows.rows(); ++i) {
      asked.push_back(texts[as_size(i)]);
      const bool there = asked.back().find("房间") != std::string::npos;
      rows(i, 0) = there ? 0.75f : 0.25f, rows(i, 1) = 1 - rows(i, 0);
    }
    return rows;
  };
  auto attack = sentence_piece(source, stop_words);
  const AttackResult r = attack(victim, {"ab 房间很大。", {}, 0});
  CHECK(r.counts.status == AttackStatus::successful);
  CHECK(r.original == "ab 房间很大。");
  REQUIRE(asked.size() >= 7);
  CHECK(asked[1] == " 房间很大。");  // without each unit: ab, blank, 房间, 很, 大, 。
  CHECK(asked[2] == "ab房间很大。");
  CHECK(asked[3] == "ab 很大。");
  CHECK(asked[6] == "ab 房间很大");
  REQUIRE(r.changes.size() == 1);
  CHECK(r.changes[0].from == "房间");
  CHECK(has_chinese(r.changes[0].to));
  CHECK(r.changes[0].to != "大");
  CHECK(r.perturbed == "ab " + r.changes[0].to + "很大。");
  CHECK(attack(victim, {"ab ab", {}, 1}).counts.changed == 0);
  CHECK(attack(victim, {"房间", {}, 0}).counts.status == AttackStatus::successful);
  CHECK(attack(victim, {"", {}, 1}).counts.status == AttackStatus::failed);
}

TEST_CASE("a text's length in characters is kept within a share") {
  const std::vector<std::string> units{"酒店", "很", "大", "x"};
  const std::vector<std::string> candidates{"一二三四五", "一二三四", "一", ""};
  Verdicts verdicts{std::vector<index_t>(4), std::vector<float>(4)};
  KeepLength{0.4}.judge({units, units, 0, ""}, candidates, verdicts);  // 5 characters: 3 to 7
  CHECK(verdicts.violations == std::vector<index_t>{1, 0, 0, 0});
  KeepLength{0.3}.judge({units, units, 0, ""}, candidates, verdicts);
  CHECK(verdicts.violations == std::vector<index_t>{2, 1, 0, 1});
}
