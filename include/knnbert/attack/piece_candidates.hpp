#pragma once
#include "knnbert/attack/constraint.hpp"
#include "knnbert/attack/masked_candidates.hpp"
#include "knnbert/io/utf8.hpp"
#include "knnbert/text/unicode.hpp"

namespace knnbert::inline v0_1 {

/// A masked language model over pieces of text, such as SentencePiece's: units(text) cuts a text into what its pieces
/// stand for, without a gap, and guesses(units, k) tells what could stand for each of them: one pass, nothing masked.
/// Both are pure and safe to call concurrently.
template <class M>
concept PieceModel = requires(const M& model, std::string_view text, std::span<const std::string> units, index_t k) {
  { model.units(text) } -> std::convertible_to<std::vector<std::string>>;
  { model.guesses(units, k) } -> std::convertible_to<PieceGuesses>;
};

/// Whether a text has a Chinese character.
inline bool has_chinese(std::string_view text) {
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at != end;)
    if (unicode::properties(unicode::decode(at, end)) & unicode::chinese) return true;
  return false;
}

/// Substitutes for pieces of Chinese text, of any number of characters: what a masked language model over pieces
/// guesses, as long as it has a Chinese character. A reconstruction after the abstract of arXiv 2012.14769.
template <PieceModel M>
struct FromPieceModel {
  const M* model;         ///< must outlive it
  index_t best = 48;      ///< guesses for a piece
  float least_logit = 0;  ///< where they are cut; 0: nowhere
  std::string name = "a language model";

  std::vector<std::string> units(std::string_view text) const { return model->units(text); }
  static constexpr std::string_view separator() { return ""; }

  auto of(std::span<const std::string> units) const {
    return
        [this, units, guesses = std::make_shared<const PieceGuesses>(model->guesses(units, best))](index_t position) {
          std::vector<std::string> candidates;
          const auto [first, end] = std::equal_range(guesses->words.begin(), guesses->words.end(), position);
          if (end - first != 1 || !has_chinese(units[as_size(position)])) return candidates;
          for (const PieceGuess& g : guesses->best[static_cast<std::size_t>(first - guesses->words.begin())]) {
            if (least_logit != 0 && g.logit < least_logit) break;
            if (has_chinese(g.piece)) candidates.push_back(g.piece);
          }
          return candidates;
        };
  }
  std::string description() const { return format("up to {} pieces that {} guesses", best, name); }
};

/// The length of the text, in characters, changes by at most a share of what it was.
struct KeepLength {
  double share = 0.5;

  void judge(const WordPlace& place, std::span<const std::string> candidates, Verdicts& verdicts) const {
    const auto before = static_cast<double>(characters(place.original));
    const index_t others = characters(place.current) - characters(place.current.subspan(as_size(place.position), 1));
    for (std::size_t c = 0; c < candidates.size(); ++c) {
      const auto after = static_cast<double>(others + characters(std::span(&candidates[c], 1)));
      if (std::abs(after - before) > share * before) ++verdicts.violations[c];
    }
  }
  std::string description() const { return format("length in characters kept within {}", share); }

 private:
  static index_t characters(std::span<const std::string> words) {
    index_t count = 0;
    for (const auto& word : words)
      for (const char c : word) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    return count;
  }
};

}  // namespace knnbert::inline v0_1
