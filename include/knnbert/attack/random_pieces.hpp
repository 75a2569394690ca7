#pragma once
#include "knnbert/attack/piece_candidates.hpp"
#include "knnbert/core/rng.hpp"

namespace knnbert::inline v0_1 {

/// Random pieces with a Chinese character in place of what a model guesses, the baseline that says what guesses are
/// worth: a PieceModel that cuts texts as another one does. Every place of every text has its own pieces, the same for
/// the same seed.  Thread safety: const members may run concurrently.
template <PieceModel M>
class RandomPieces {
 public:
  /// vocabulary: the pieces to draw from, without marks of word boundaries; others than Chinese ones are left out.
  RandomPieces(const M& model, std::vector<std::string> vocabulary, std::uint64_t seed)
      : model_(&model), pieces_(std::move(vocabulary)), seed_(seed) {
    std::erase_if(pieces_, [](const std::string& piece) { return !has_chinese(piece); });
  }

  std::vector<std::string> units(std::string_view text) const { return model_->units(text); }

  PieceGuesses guesses(std::span<const std::string> units, index_t k) const {
    PieceGuesses all;
    if (pieces_.empty()) return all;
    std::uint64_t text = seed_;
    for (const auto& unit : units)
      for (const char c : unit) text = mix_bits(text ^ static_cast<unsigned char>(c));
    const Rng rng(text, Stream::attack);
    for (index_t u = 0; u < std::ssize(units); ++u) {
      if (!has_chinese(units[as_size(u)])) continue;
      const Rng here = rng.fork(static_cast<std::uint64_t>(u));
      all.words.push_back(u);
      auto& drawn = all.best.emplace_back();
      for (index_t g = 0; g < k; ++g) {
        const index_t piece = here.below(static_cast<std::uint64_t>(g), std::ssize(pieces_));
        drawn.push_back({static_cast<token_t>(piece), 0, pieces_[as_size(piece)]});
      }
    }
    return all;
  }

 private:
  const M* model_;
  std::vector<std::string> pieces_;
  std::uint64_t seed_;
};

}  // namespace knnbert::inline v0_1
