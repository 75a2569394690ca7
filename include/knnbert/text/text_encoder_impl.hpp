#pragma once
#include <algorithm>
#include <bit>
#include <span>

#include "knnbert/config.hpp"
#include "knnbert/text/byte_block.hpp"
#include "knnbert/text/normalizer_pass.hpp"
#include "knnbert/text/pre_tokenizer.hpp"
#include "knnbert/text/text_encoder.hpp"
#include "knnbert/text/unicode.hpp"

namespace knnbert::inline v0_1 {

/// Receives normalized words.
struct TextEncoder::PieceWriter {
  const GreedyPieces& pieces;
  Scratch& scratch;
  std::size_t limit;

  void operator()(std::string_view word, index_t characters) {
    pieces.cover(word, characters, scratch.beginnings, scratch.ids);
  }
  bool full() const { return scratch.ids.size() >= limit; }
};

/// One text on its way.
struct TextEncoder::Call {
  const GreedyPieces& pieces;
  Scratch& scratch;
  std::vector<token_t>& ids;
  std::size_t limit;

  bool full() const { return ids.size() >= limit; }
  void append(std::span<const token_t> more) const { ids.insert(ids.end(), more.begin(), more.end()); }
};

inline const char* TextEncoder::encode_blocks(const char* at, const char* stop, const char* end,
                                              const Call& call) const {
  constexpr auto size = static_cast<std::ptrdiff_t>(ByteBlock::size);
  while (at < stop && !call.full()) {
    auto [breaks, is_ascii] = look_at(at, !normalizer_.options().clean_text);
    if (end - at < size) breaks &= (std::uint64_t{2} << (end - at)) - 1;  // of the blanks behind the text the first
    if (breaks == 0) at = encode_long(at, end, call);
    else at += is_ascii ? encode_ascii(at, breaks, call) : encode_mixed(at, breaks, call);
  }
  return at;
}

inline std::size_t TextEncoder::encode_ascii(const char* block, std::uint64_t breaks, const Call& call) const {
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

inline token_t* TextEncoder::write_word(const char* word, std::size_t size, const Call& call, token_t* out) const {
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

inline const WordCache::Entry* TextEncoder::look_up(const WordKey& key, std::string_view word, const Call& call) const {
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

// Apart from the loop over blocks: inside it, it would take the registers of encode_ascii (7 % of the time).
[[gnu::noinline]] inline std::size_t TextEncoder::encode_mixed(const char* block, std::uint64_t breaks,
                                                               const Call& call) const {
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

[[gnu::noinline]] inline const char* TextEncoder::encode_long(const char* at, const char* end, const Call& call) const {
  const char* stop = at + ByteBlock::size;
  while (stop != end && kinds_[static_cast<unsigned char>(*stop)] != breaking) ++stop;
  encode_run({at, static_cast<std::size_t>(stop - at)}, call);
  return stop;
}

inline void TextEncoder::encode_run(std::string_view run, const Call& call) const {
  constexpr std::uint8_t changing = unicode::dropped | unicode::mark | unicode::decomposes | unicode::upper;
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

inline void TextEncoder::append_word(const char* first, const char* last, const Call& call) const {
  if (first == last) return;
  const std::string_view word(first, static_cast<std::size_t>(last - first));
  if (word.size() > WordKey::longest) encode_slowly(word, call.pieces, call.scratch, call.limit - call.ids.size());
  else if (const auto* const found = look_up(WordKey::of(word, normalizer_.options().lowercase), word, call))
    return call.append({found->ids.data(), found->count()});
  call.append(call.scratch.ids);
}

inline void TextEncoder::encode_slowly(std::string_view text, const GreedyPieces& pieces, Scratch& scratch,
                                       std::size_t limit) const {
  scratch.ids.clear();
  PieceWriter writer{pieces, scratch, limit};
  WordSplitter splitter(writer, pieces.max_characters(), std::move(scratch.word));
  normalizer_(text, splitter);
  splitter.close();
  scratch.word = std::move(splitter).buffer();
}

KNNBERT_INLINE TextEncoder::TextEncoder(const Normalizer& normalizer, const GreedyPieces& pieces)
    : normalizer_(normalizer), apart_(unicode::space | unicode::punctuation),
      pool_(std::make_shared<LeasePool<Scratch>>()) {
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

KNNBERT_INLINE void TextEncoder::operator()(std::string_view text, const GreedyPieces& pieces, Scratch& scratch,
                                            std::vector<token_t>& ids, std::size_t limit) const {
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

KNNBERT_INLINE TextEncoder::Lease TextEncoder::lend() const { return pool_->lend(); }

}  // namespace knnbert::inline v0_1
