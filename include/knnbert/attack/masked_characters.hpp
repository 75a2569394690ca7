#pragma once
#include "knnbert/attack/masked_guesses.hpp"
#include "knnbert/attack/piece_candidates.hpp"

namespace knnbert::inline v0_1 {

/// A masked language model with a WordPiece tokenizer, which cuts Chinese text into characters, as the source of
/// substitutes for them: a PieceModel.  Thread safety: const members may run concurrently.
template <class Model = MaskedLanguageModel>
struct MaskedCharacters {
  const Model* model;  ///< must outlive it

  /// Every Chinese character, and what stands between them.
  std::vector<std::string> units(std::string_view text) const {
    std::vector<std::string> all;
    bool open = false;  // what stands between goes on
    const char* const end = text.data() + text.size();
    for (const char* at = text.data(); at != end;) {
      const char* const begin = at;
      const bool chinese = unicode::properties(unicode::decode(at, end)) & unicode::chinese;
      if (chinese || !open) all.emplace_back();
      all.back().append(begin, at);
      open = !chinese;
    }
    return all;
  }

  /// Of the first max_length() - 2 pieces; special tokens and pieces that continue a word are no guesses, and unknown
  /// characters have none.
  PieceGuesses guesses(std::span<const std::string> units, index_t k) const {
    PieceGuesses all = MaskedGuesses{model}.guesses(units, k);
    for (auto& guesses : all.best)
      std::erase_if(guesses, [](const PieceGuess& guess) { return guess.piece.starts_with("##"); });
    std::vector<token_t> pieces;
    for (std::size_t p = 0; p < all.best.size(); ++p) {
      pieces.clear();
      model->tokenizer().encode_words(units[as_size(all.words[p])], pieces);
      if (std::find(pieces.begin(), pieces.end(), model->tokenizer().special().unknown) != pieces.end())
        all.best[p].clear();
    }
    return all;
  }

  /// What its pieces stand for, special tokens included, without those that continue a word.
  std::vector<std::string> vocabulary() const {
    std::vector<std::string> all;
    for (token_t id = 0; id < model->tokenizer().vocabulary_size(); ++id)
      if (const auto piece = model->tokenizer().token(id); !piece.starts_with("##")) all.emplace_back(piece);
    return all;
  }
};
template <class Model>
MaskedCharacters(const Model*) -> MaskedCharacters<Model>;

static_assert(PieceModel<MaskedCharacters<>>);

}  // namespace knnbert::inline v0_1
