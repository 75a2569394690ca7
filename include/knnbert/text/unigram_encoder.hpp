#pragma once
#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "knnbert/core/lease.hpp"
#include "knnbert/text/piece_trie.hpp"
#include "knnbert/text/pre_tokenizer_sequence.hpp"
#include "knnbert/text/word_cache.hpp"

namespace knnbert::inline v0_1 {

/// A piece and the bytes [begin, end) of a text that it stands for.
struct PieceSpan {
  token_t id = -1;
  std::size_t begin = 0, end = 0;
  friend bool operator==(const PieceSpan&, const PieceSpan&) = default;
};

/// Words to the pieces whose scores have the largest sum.  Cost: linear in the word, times the longest piece.
/// Thread-safe.  Source: Kudo 2018, section 3.2; of equal sums the one that tokenizers 0.23 takes.
class UnigramEncoder {
 public:
  /// The best way to a place in a word.
  struct Step {
    double score = 0;
    std::uint32_t length = 0;  // of the last piece, 0: not reached yet
    token_t id = -1;
  };

  /// Memory of one caller at a time, about 1 MiB and 16 bytes for each byte of a word.
  struct Scratch {
    WordCache cache;
    std::vector<Step> steps;
    std::vector<PieceSpan> pieces;
    AlignedText text, spare;
    PreTokenizerSequence::Scratch parts;
  };
  using Lease = LeasePool<Scratch>::Lease;

  /// One score a token of the vocabulary; `unknown` stands for characters that no token covers.
  UnigramEncoder(const Vocabulary& vocabulary, std::vector<double> scores, token_t unknown, bool byte_fallback);

  const std::vector<double>& scores() const { return scores_; }  // [V]
  Lease lend() const;

  /// Appends the pieces of a word of UTF-8.
  void operator()(const Vocabulary& vocabulary, std::string_view word, Scratch& scratch,
                  std::vector<token_t>& ids) const;

  /// Leaves the pieces of a word of UTF-8 in scratch.pieces. Of the pieces for the bytes of unknown characters the
  /// first one covers them all, the others nothing.
  void segment(const Vocabulary& vocabulary, std::string_view word, Scratch& scratch) const;

 private:
  void find_best(std::string_view word, std::vector<Step>& steps) const;
  /// Appends, the last one first, what unknown characters in a row become.
  void add_unknown(const Vocabulary& vocabulary, std::string_view word, std::size_t begin, std::size_t end,
                   std::vector<PieceSpan>& pieces) const;

  PieceTrie trie_;
  std::vector<double> scores_;
  token_t unknown_;
  double unknown_score_;
  std::array<token_t, 256> bytes_;  // -1 for a byte without a piece
  std::shared_ptr<LeasePool<Scratch>> pool_;
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/text/unigram_encoder_impl.hpp"
#endif
