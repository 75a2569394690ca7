// A masked language model as the source of substitutes, against its own logits.
#include "knnbert/attack/masked_guesses.hpp"

#include "knnbert/attack/recipes.hpp"
#include "pretrain/tiny_masked.hpp"

using namespace knnbert_test;

namespace {

MaskedLanguageModel model_of_guesses() { return {tiny_pieces(), tiny_masked_config(), {.seed = 5}}; }

std::string word_of(const std::vector<token_t>& ids) {
  std::string word;
  const WordPiece pieces = tiny_pieces();
  for (const token_t id : ids) word += pieces.token(id).substr(word.empty() ? 0 : 2);
  return word;
}

}  // namespace

TEST_CASE("guesses of a masked language model are its largest logits where the pieces stand") {
  const auto model = model_of_guesses();
  const MaskedGuesses source{&model};
  const std::vector<std::string> words{word_of({5}), word_of({7, 9}), "", word_of({8, 6, 12})};
  const PieceGuesses all = source.guesses(words, 41);
  CHECK(all.words == std::vector<index_t>{0, 1, 1, 3, 3, 3});
  REQUIRE(all.best.size() == 6);
  const Matrix logits = model.logits(words[0] + " " + words[1] + " " + words[3]);
  REQUIRE(logits.rows() == 8);
  for (index_t p = 0; p < 6; ++p) {
    const auto& best = all.best[as_size(p)];
    REQUIRE(best.size() == 36);  // without the five special tokens
    for (std::size_t g = 0; g < best.size(); ++g) {
      CHECK(best[g].id >= 5);
      CHECK(best[g].logit == logits(p + 1, best[g].id));
      CHECK(best[g].piece == model.tokenizer().token(best[g].id));
      if (g > 0) CHECK(best[g - 1].logit >= best[g].logit);
    }
  }
  const auto few = source.guesses(words, 3).best;
  CHECK(few[0].size() <= 3);
  if (!few[0].empty()) CHECK(few[0][0].id == all.best[0][0].id);
  CHECK(source.guesses({}, 3).best.empty());
  const std::vector<std::string> nothing{"", ""};
  CHECK(source.guesses(nothing, 3).words.empty());
}

TEST_CASE("guesses stop where the masked language model does") {
  const auto model = model_of_guesses();
  const std::vector<std::string> words(100, word_of({7, 9, 12}));
  const PieceGuesses all = MaskedGuesses{&model}.guesses(words, 2);
  CHECK(all.best.size() == 62);
  CHECK(all.words.size() == 62);
  CHECK(all.words.back() == 20);
}

TEST_CASE("losses of bare pieces are those of their own logits") {
  const auto model = model_of_guesses();
  const MaskedGuesses source{&model};
  const std::vector<std::vector<token_t>> sequences{{5, 7}, {8}, {9, 9, 40}};
  const auto losses = source.losses(sequences);
  REQUIRE(losses.size() == 3);
  for (std::size_t s = 0; s < 3; ++s) {
    Batch alone;
    alone.ids = sequences[s];
    alone.close_text();
    std::vector<index_t> places(sequences[s].size());
    std::iota(places.begin(), places.end(), index_t{0});
    double total = 0;
    model.each_logits(alone, places, [&](index_t, View logits) {
      for (index_t r = 0; r < logits.rows(); ++r) {
        double sum = 0;
        for (index_t v = 0; v < logits.cols(); ++v) sum += std::exp(static_cast<double>(logits(r, v)));
        total += std::log(sum) - static_cast<double>(logits(r, sequences[s][as_size(r)]));
      }
    });
    CHECK(static_cast<double>(losses[s]) == approx(total / static_cast<double>(sequences[s].size())).margin(1e-5));
  }
  CHECK_THROWS_AS(source.losses(std::vector<std::vector<token_t>>{{5}, {}}), ShapeError);
  CHECK(source.losses({}).empty());
}

TEST_CASE("an attack takes its words from a masked language model") {
  const auto model = model_of_guesses();
  const MaskedGuesses source{&model};
  const StopWords stop_words;
  const Antonyms antonyms;
  const auto attack = bert_attack(source, stop_words, antonyms);
  const std::string word = word_of({5});
  const auto victim = [&](std::span<const std::string> texts) {  // sure as long as the word is there
    Matrix rows(std::ssize(texts), 2);
    for (index_t i = 0; i < rows.rows(); ++i) {
      const bool there = texts[as_size(i)].find(word) != std::string::npos;
      rows(i, 0) = there ? 0.75f : 0.25f, rows(i, 1) = 1 - rows(i, 0);
    }
    return rows;
  };
  const AttackResult r = attack(victim, {word + " " + word_of({8}), {}, 0});
  CHECK(r.counts.status == AttackStatus::successful);
  REQUIRE(r.changes.size() == 1);
  CHECK(r.changes[0].from == word);
  CHECK(model.tokenizer().find(r.changes[0].to));
}

namespace {

struct OddGuesses {
  PieceGuesses all;

  PieceGuesses guesses(std::span<const std::string>, index_t) const { return all; }
  std::vector<float> losses(std::span<const std::vector<token_t>> sequences) const {
    return std::vector<float>(sequences.size());
  }
};

}  // namespace

TEST_CASE("guesses that do not fit their pieces are refused") {
  const std::vector<std::string> words{"a", "b"};
  const OddGuesses few{{{0, 1, 1}, {{}}}}, unsorted{{{1, 0}, {{}, {}}}},
      right{{{0, 1, 1}, {{}, {{1, 1, "x"}}, {{2, 1, "y"}}}}};
  CHECK_THROWS_AS(FromLanguageModel<OddGuesses>{.model = &few}.of(words), ShapeError);
  CHECK_THROWS_AS(FromLanguageModel<OddGuesses>{.model = &unsorted}.of(words), ShapeError);
  CHECK_THROWS_AS((FromLanguageModel<OddGuesses>{.model = &right, .best_of_piece = 0}.of(words)), OptionError);
  CHECK(FromLanguageModel<OddGuesses>{.model = &right}.of(words)(1) == std::vector<std::string>{"x y"});
  CHECK_THROWS_AS((ChangeFewWords{.share = std::numeric_limits<double>::quiet_NaN()}.most_changes(3)), OptionError);
}
