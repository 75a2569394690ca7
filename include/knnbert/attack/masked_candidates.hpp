#pragma once
#include <algorithm>
#include <memory>
#include <numeric>

#include "knnbert/attack/words.hpp"
#include "knnbert/core/error.hpp"
#include "knnbert/io/utf8.hpp"
#include "knnbert/text/unicode.hpp"

namespace knnbert::inline v0_1 {

/// A piece that a language model can imagine at a place; "##" begins one that continues a word.
struct PieceGuess {
  token_t id;
  float logit;
  std::string piece;
};

/// What a language model says of a text, for each of its n pieces without the special tokens.
struct PieceGuesses {
  std::vector<index_t> words;                 // [n] the word that a piece belongs to, ascending
  std::vector<std::vector<PieceGuess>> best;  // [n][k], larger logits first
};

/// A masked language model: guesses(words, k) of one pass over the text as it is, with nothing masked, of as many
/// pieces as it reads; losses(sequences) the mean cross entropy of each sequence of pieces by itself, without context
/// and special tokens. Both are pure and safe to call concurrently.
template <class M>
concept LanguageModel = requires(const M& model, std::span<const std::string> words, index_t k,
                                 std::span<const std::vector<token_t>> sequences) {
  { model.guesses(words, k) } -> std::convertible_to<PieceGuesses>;
  { model.losses(sequences) } -> std::convertible_to<std::vector<float>>;
};

/// BERT-Attack's substitutes.  arXiv 2004.09984: of a word of one piece the model's guesses; of several pieces
/// combinations of the best guesses for each, those first that the model finds likeliest.
template <LanguageModel M>
struct FromLanguageModel {
  const M* model;             ///< must outlive it
  index_t best = 48;          ///< guesses for a piece
  float least_logit = 0;      ///< where the guesses for a word of one piece are cut; 0: nowhere
  index_t most_pieces = 12;   ///< of a word of several
  index_t best_of_piece = 4;  ///< guesses for each of these
  index_t combinations = 24;
  bool one_word = false;  ///< only candidates of letters, digits, hyphens and apostrophes, as in TextAttack
  std::string name = "a language model";

  auto of(std::span<const std::string> words) const {
    if (best_of_piece < 1)
      raise<OptionError>("FromLanguageModel::best_of_piece: {} given, at least 1 expected", best_of_piece);
    const auto guesses = std::make_shared<const PieceGuesses>(model->guesses(words, best));
    if (guesses->best.size() != guesses->words.size() || !std::ranges::is_sorted(guesses->words))
      raise<ShapeError>(
          "FromLanguageModel: {} lists of guesses for {} pieces given, one for each and ascending words "
          "expected",
          guesses->best.size(), guesses->words.size());
    return [this, guesses](index_t position) {
      const auto [first, end] = std::equal_range(guesses->words.begin(), guesses->words.end(), position);
      const auto begin = first - guesses->words.begin(), count = end - first;
      const auto pieces = std::span(guesses->best).subspan(as_size(begin), as_size(count));
      if (pieces.size() == 1) return single(pieces.front());
      return pieces.empty() ? std::vector<std::string>()
                            : combined(pieces.first(std::min(pieces.size(), as_size(most_pieces))));
    };
  }
  std::string description() const { return format("up to {} guesses of {}", best, name); }

 private:
  void add(std::string word, std::vector<std::string>& to) const {
    if (!word.empty() && word.find("##") == word.npos && (!one_word || is_word(word))) to.push_back(std::move(word));
  }
  static bool is_word(std::string_view text) {
    bool letters = false;
    const char* const end = text.data() + text.size();
    for (const char* at = text.data(); at != end;) {
      const char32_t code = unicode::decode(at, end);
      if (code == '-' || code == '\'') continue;
      if (unicode::properties(code) & (unicode::space | unicode::punctuation)) return false;
      letters = true;
    }
    return letters;
  }

  std::vector<std::string> single(std::span<const PieceGuess> guesses) const {
    std::vector<std::string> words;
    for (const PieceGuess& g : guesses) {
      if (least_logit != 0 && g.logit < least_logit) break;
      add(g.piece, words);
    }
    return words;
  }

  /// Pieces as a text: those that continue a word are joined to it.
  static std::string text_of(std::span<const PieceGuess* const> pieces) {
    std::string text;
    for (const PieceGuess* p : pieces) {
      const bool continues = p->piece.starts_with("##");
      if (!text.empty() && !continues) text += ' ';
      text += continues && !text.empty() ? p->piece.substr(2) : p->piece;
    }
    return text;
  }

  std::vector<std::string> combined(std::span<const std::vector<PieceGuess>> pieces) const {
    std::vector<std::vector<token_t>> sequences;
    std::vector<std::string> texts;
    std::vector<std::size_t> choice(pieces.size());  // counts in lexicographic order, the last piece fastest
    for (bool more = std::none_of(pieces.begin(), pieces.end(), [](const auto& p) { return p.empty(); });
         more && std::ssize(sequences) < combinations;) {
      std::vector<const PieceGuess*> chosen;
      for (std::size_t p = 0; p < pieces.size(); ++p) chosen.push_back(&pieces[p][choice[p]]);
      auto& ids = sequences.emplace_back();
      for (const PieceGuess* g : chosen) ids.push_back(g->id);
      texts.push_back(text_of(chosen));
      std::size_t p = pieces.size();
      while (p > 0 && ++choice[p - 1] == std::min(pieces[p - 1].size(), as_size(best_of_piece))) choice[--p] = 0;
      more = p > 0;
    }
    const std::vector<float> losses = model->losses(sequences);
    if (losses.size() != sequences.size())
      raise<ShapeError>("FromLanguageModel: {} losses of {} sequences given", losses.size(), sequences.size());
    std::vector<std::size_t> order(texts.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return losses[a] < losses[b]; });
    std::vector<std::string> words;
    for (const std::size_t i : order) add(std::move(texts[i]), words);
    return words;
  }
};

}  // namespace knnbert::inline v0_1
