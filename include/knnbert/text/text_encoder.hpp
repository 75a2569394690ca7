#pragma once
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "knnbert/core/lease.hpp"
#include "knnbert/text/byte_block.hpp"
#include "knnbert/text/greedy_pieces.hpp"
#include "knnbert/text/normalizer.hpp"
#include "knnbert/text/word_cache.hpp"

namespace knnbert::inline v0_1 {

/// Text to pieces of a vocabulary: normalize, cut into words, cover each, with a short cut. Nothing of that moves
/// across white space or punctuation of ASCII, so a text is cut there first, 64 bytes at a time, and the pieces of what
/// lies between, a word as a rule, are remembered. Only what the memory lacks takes the long way.  Thread-safe.
class TextEncoder {
 public:
  static constexpr auto unlimited = static_cast<std::size_t>(-1);

  /// Memory of one caller at a time, about 1 MiB; reused, it saves allocations and knows more words.
  struct Scratch {
    WordCache cache;
    std::vector<token_t> ids;  // of what was encoded the long way last
    std::string word;
    GreedyPieces::Scratch beginnings;
  };
  using Lease = LeasePool<Scratch>::Lease;

  /// All calls have to give the same pieces.
  TextEncoder(const Normalizer& normalizer, const GreedyPieces& pieces);

  Lease lend() const;

  /// Appends the pieces of a text; once `limit` ids are there, what follows may be missing.
  void operator()(std::string_view text, const GreedyPieces& pieces, Scratch& scratch, std::vector<token_t>& ids,
                  std::size_t limit) const;

 private:
  /// Bytes that are read at the start of a block: the block and, of a word that starts at its end, a key.
  static constexpr std::size_t reach = ByteBlock::size + WordKey::longest;

  /// Breaking bytes end a word, plain ones change at most to lower case, special ones may do anything.
  enum ByteKind : std::uint8_t { plain, breaking, special };

  struct PieceWriter;
  struct Call;

  /// Encodes words that start before `stop`, from where on fewer than `reach` bytes can be read; the text goes on to
  /// `end`. Returns the start of the first word that is left.
  const char* encode_blocks(const char* at, const char* stop, const char* end, const Call& call) const;
  /// Encodes the words that end in a block. Returns the place behind the last one.
  std::size_t encode_ascii(const char* block, std::uint64_t breaks, const Call& call) const;
  token_t* write_word(const char* word, std::size_t size, const Call& call, token_t* out) const;
  /// The cache's entry for a word; nullptr if it had none, then scratch.ids has the pieces.
  const WordCache::Entry* look_up(const WordKey& key, std::string_view word, const Call& call) const;
  /// encode_ascii for a block that has other characters too.
  std::size_t encode_mixed(const char* block, std::uint64_t breaks, const Call& call) const;
  /// Encodes the word, or text without blanks, that begins with a block without a break. Returns its end.
  const char* encode_long(const char* at, const char* end, const Call& call) const;
  /// Encodes what has no break of ASCII: cuts at white space, punctuation and CJK characters beyond ASCII, unless they
  /// change or may move.
  void encode_run(std::string_view run, const Call& call) const;
  void append_word(const char* first, const char* last, const Call& call) const;
  /// Leaves the pieces of a text in scratch.ids, of a long one `limit` or some more.
  void encode_slowly(std::string_view text, const GreedyPieces& pieces, Scratch& scratch, std::size_t limit) const;

  Normalizer normalizer_;
  std::uint8_t apart_;  // properties of characters that are no part of a word
  std::array<ByteKind, 256> kinds_;
  std::array<token_t, 256> punctuation_;  // ids of breaking bytes that are words, else -1
  std::shared_ptr<LeasePool<Scratch>> pool_;
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/text/text_encoder_impl.hpp"
#endif
