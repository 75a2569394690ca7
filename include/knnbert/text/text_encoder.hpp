#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "knnbert/core/lease.hpp"
#include "knnbert/text/byte_block.hpp"
#include "knnbert/text/greedy_pieces.hpp"
#include "knnbert/text/normalizer.hpp"
#include "knnbert/text/pre_tokenizer.hpp"
#include "knnbert/text/word_cache.hpp"

namespace knnbert {

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
  TextEncoder(const Normalizer& normalizer, const GreedyPieces& pieces) : normalizer_(normalizer) {
    if (normalizer.options().chinese_characters) apart_ |= unicode::chinese;
    kinds_.fill(special);
    punctuation_.fill(-1);
    const auto scratch = lend();
    for (unsigned char byte = 0; byte < 0x80; ++byte) {
      const auto properties = unicode::properties(byte);
      const bool is_dropped = normalizer.options().clean_text && properties & unicode::dropped;
      const bool ends_word = properties & (unicode::space | unicode::punctuation);
      kinds_[byte] = is_dropped ? special : ends_word ? breaking : plain;
      if (!(properties & unicode::punctuation)) continue;
      const auto character = static_cast<char>(byte);
      encode_slowly({&character, 1}, pieces, *scratch, unlimited);
      punctuation_[byte] = scratch->ids.front();
    }
  }

  Lease lend() const { return pool_->lend(); }

  /// Appends the pieces of a text; once `limit` ids are there, what follows may be missing.
  void operator()(std::string_view text, const GreedyPieces& pieces, Scratch& scratch, std::vector<token_t>& ids,
                  std::size_t limit) const {
    const Call call{pieces, scratch, ids, limit};
    const char* at = text.data();
    const char* const end = at + text.size();
    if (text.size() >= reach) at = encode_blocks(at, end - reach + 1, end, call);
    if (ids.size() >= limit) return;
    std::array<char, 2 * reach> rest;  // blanks behind the text, so that its last words can be read like any other
    rest.fill(' ');
    const auto* const rest_end = std::copy(at, end, rest.data());
    encode_blocks(rest.data(), rest_end, rest_end, call);
  }

 private:
  /// Bytes that are read at the start of a block: the block and, of a word that starts at its end, a key.
  static constexpr std::size_t reach = ByteBlock::size + WordKey::longest;

  /// Breaking bytes end a word, plain ones change at most to lower case, special ones may do anything.
  enum ByteKind : std::uint8_t { plain, breaking, special };

  /// Receives normalized words.
  struct PieceWriter {
    const GreedyPieces& pieces;
    Scratch& scratch;
    std::size_t limit;

    void operator()(std::string_view word, index_t characters) {
      pieces.cover(word, characters, scratch.beginnings, scratch.ids);
    }
    bool full() const { return scratch.ids.size() >= limit; }
  };

  /// One text on its way.
  struct Call {
    const GreedyPieces& pieces;
    Scratch& scratch;
    std::vector<token_t>& ids;
    std::size_t limit;

    bool full() const { return ids.size() >= limit; }
    void append(std::span<const token_t> more) const { ids.insert(ids.end(), more.begin(), more.end()); }
  };

  /// Encodes words that start before `stop`, from where on fewer than `reach` bytes can be read; the text goes on to
  /// `end`. Returns the start of the first word that is left.
  const char* encode_blocks(const char* at, const char* stop, const char* end, const Call& call) const {
    constexpr auto size = static_cast<std::ptrdiff_t>(ByteBlock::size);
    while (at < stop && !call.full()) {
      auto [breaks, is_ascii] = look_at(at, !normalizer_.options().clean_text);
      if (end - at < size) breaks &= (std::uint64_t{2} << (end - at)) - 1;  // of the blanks behind the text the first
      if (breaks == 0) at = encode_long(at, end, call);
      else at += is_ascii ? encode_ascii(at, breaks, call) : encode_mixed(at, breaks, call);
    }
    return at;
  }

  /// Encodes the words that end in a block. Returns the place behind the last one.
  std::size_t encode_ascii(const char* block, std::uint64_t breaks, const Call& call) const {
    auto& ids = call.ids;
    const auto known = ids.size();
    ids.resize(known + ByteBlock::size + WordCache::most_pieces);  // a piece has at least one byte
    auto* out = ids.data() + known;
    std::size_t start = 0;
    for (; breaks != 0; breaks &= breaks - 1) {
      const auto end = static_cast<std::size_t>(std::countr_zero(breaks));
      out = write_word(block + start, end - start, call, out);  // an empty word, say after a comma, has no pieces
      *out = punctuation_[static_cast<unsigned char>(block[end])];
      out += *out >= 0;
      start = end + 1;
    }
    ids.resize(static_cast<std::size_t>(out - ids.data()));
    return start;
  }

  token_t* write_word(const char* word, std::size_t size, const Call& call, token_t* out) const {
    if (size <= WordKey::longest) {
      const auto* const found = look_up(WordKey::of(word, size, normalizer_.options().lowercase), {word, size}, call);
      if (found != nullptr) {  // all places are copied, and what is unused overwritten next: no branch on their number
        std::copy_n(found->ids.data(), WordCache::most_pieces, out);
        return out + found->count();
      }
    } else {
      encode_slowly({word, size}, call.pieces, call.scratch, unlimited);
    }
    return std::copy(call.scratch.ids.begin(), call.scratch.ids.end(), out);
  }

  /// The cache's entry for a word; nullptr if it had none, then scratch.ids has the pieces.
  const WordCache::Entry* look_up(const WordKey& key, std::string_view word, const Call& call) const {
    const auto* const found = call.scratch.cache.find(key);
    if (found != nullptr) return found;
    if (std::all_of(word.begin(), word.end(), [&](char c) { return kinds_[static_cast<unsigned char>(c)] == plain; })) {
      const auto normalized = key.text();
      call.scratch.ids.clear();
      call.pieces.cover({normalized.data(), word.size()}, std::ssize(word), call.scratch.beginnings, call.scratch.ids);
    } else {
      encode_slowly(word, call.pieces, call.scratch, unlimited);
    }
    call.scratch.cache.add(key, call.scratch.ids);
    return nullptr;
  }

  /// encode_ascii for a block that has other characters too.
  std::size_t encode_mixed(const char* block, std::uint64_t breaks, const Call& call) const {
    std::size_t start = 0;
    for (; breaks != 0 && !call.full(); breaks &= breaks - 1) {
      const auto end = static_cast<std::size_t>(std::countr_zero(breaks));
      encode_run({block + start, end - start}, call);
      const auto id = punctuation_[static_cast<unsigned char>(block[end])];
      if (id >= 0) call.ids.push_back(id);
      start = end + 1;
    }
    return start;
  }

  /// Encodes the word, or text without blanks, that begins with a block without a break. Returns its end.
  const char* encode_long(const char* at, const char* end, const Call& call) const {
    const char* stop = at + ByteBlock::size;
    while (stop != end && kinds_[static_cast<unsigned char>(*stop)] != breaking) ++stop;
    encode_run({at, static_cast<std::size_t>(stop - at)}, call);
    return stop;
  }

  /// Encodes what has no break of ASCII: cuts at white space, punctuation and CJK characters beyond ASCII, unless they
  /// change or may move.
  void encode_run(std::string_view run, const Call& call) const {
    const char *start = run.data(), *at = start, *const end = at + run.size();
    while (at != end && !call.full()) {
      const char* const first = at;
      if (static_cast<unsigned char>(*at) < 0x80) {
        ++at;
        continue;
      }
      const auto properties = unicode::properties(unicode::decode(at, end));
      if (!(properties & apart_) || properties & changing) continue;
      append_word(start, first, call);
      if (!(properties & unicode::space)) append_word(first, at, call);
      start = at;
    }
    if (!call.full()) append_word(start, end, call);
  }

  void append_word(const char* first, const char* last, const Call& call) const {
    if (first == last) return;
    const std::string_view word(first, static_cast<std::size_t>(last - first));
    if (word.size() > WordKey::longest) encode_slowly(word, call.pieces, call.scratch, call.limit - call.ids.size());
    else if (const auto* const found = look_up(WordKey::of(word, normalizer_.options().lowercase), word, call))
      return call.append({found->ids.data(), found->count()});
    call.append(call.scratch.ids);
  }

  /// Leaves the pieces of a text in scratch.ids, of a long one `limit` or some more.
  void encode_slowly(std::string_view text, const GreedyPieces& pieces, Scratch& scratch, std::size_t limit) const {
    scratch.ids.clear();
    PieceWriter writer{pieces, scratch, limit};
    WordSplitter splitter(writer, pieces.max_characters(), std::move(scratch.word));
    normalizer_(text, splitter);
    splitter.close();
    scratch.word = std::move(splitter).buffer();
  }

  static constexpr std::uint8_t changing = unicode::dropped | unicode::mark | unicode::decomposes | unicode::upper;

  Normalizer normalizer_;
  std::uint8_t apart_ = unicode::space | unicode::punctuation;  // properties of characters that are no part of a word
  std::array<ByteKind, 256> kinds_;
  std::array<token_t, 256> punctuation_;  // ids of breaking bytes that are words, else -1
  std::shared_ptr<LeasePool<Scratch>> pool_ = std::make_shared<LeasePool<Scratch>>();
};

}  // namespace knnbert
