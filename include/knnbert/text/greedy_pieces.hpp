#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "knnbert/text/vocabulary.hpp"

namespace knnbert::inline v0_1 {

/// Covers words by pieces of a vocabulary: from left to right always the longest one that fits. Pieces inside a word
/// carry a prefix in the vocabulary. A word that cannot be covered, or is too long, becomes the unknown token.
class GreedyPieces {
 public:
  /// End and hash of each beginning of a word that may be a token; reused from word to word.
  using Scratch = std::vector<std::pair<std::size_t, std::uint64_t>>;

  GreedyPieces(Vocabulary vocabulary, std::string prefix, token_t unknown, index_t max_characters);

  const Vocabulary& vocabulary() const { return vocabulary_; }
  index_t max_characters() const { return max_characters_; }

  /// Appends the pieces of a word of UTF-8.  Cost: at most length of the word times length of the longest token, as a
  /// rule the length of the word.
  void cover(std::string_view word, index_t characters, Scratch& scratch, std::vector<token_t>& ids) const;

 private:
  /// The longest token at a place of the word and its end; id -1 if there is none.
  std::pair<token_t, std::size_t> longest_piece(std::string_view word, std::size_t first, Scratch& scratch) const;

  struct Note {
    bool ends, continues;
  };

  /// Whether a string with this hash may be a token, and may be the beginning of a longer one. Most of what is no token
  /// is found out here, in 128 KiB for BERT's vocabulary, so that words take a look-up a piece instead of a byte.
  Note noted(std::uint64_t hash) const {
    const auto place = hash >> shift_;
    const auto bits = filter_[place / 32] >> 2 * (place % 32);
    return {(bits & 1) != 0, (bits & 2) != 0};
  }

  void note_beginnings(std::string_view token);

  Vocabulary vocabulary_;
  std::string prefix_;
  std::uint64_t prefix_hash_;
  token_t unknown_;
  index_t max_characters_;
  std::size_t longest_ = 0;            // bytes of the longest token
  std::vector<std::uint64_t> filter_;  // 2 bits a place; the beginnings of tokens take at most half of the places
  int shift_ = 0;                      // hash to place
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/text/greedy_pieces_impl.hpp"
#endif
