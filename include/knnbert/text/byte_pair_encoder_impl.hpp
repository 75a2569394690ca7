#pragma once
#include <span>
#include <utility>

#include "knnbert/config.hpp"
#include "knnbert/text/byte_level.hpp"
#include "knnbert/text/byte_pair_encoder.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE BytePairEncoder::BytePairEncoder(const Vocabulary& vocabulary, BytePairMerges merges, Settings settings)
    : merges_(std::move(merges)), settings_(settings), pool_(std::make_shared<LeasePool<Scratch>>()) {
  for (std::size_t byte = 0; byte < 256; ++byte) {
    std::string character;
    unicode::encode(byte_characters[byte], character);
    bytes_[byte] = vocabulary.find(character).value_or(-1);
  }
}

KNNBERT_INLINE void BytePairEncoder::operator()(std::string_view text, Scratch& scratch, std::vector<token_t>& ids,
                                                std::size_t limit) const {
  if (settings_.add_prefix_space && !text.empty() && text.front() != ' ') text = (scratch.text = ' ').append(text);
  if (!settings_.split_words) return append_word(text, scratch, ids);
  ByteLevelWords words(text);
  for (auto word = words.next(); !word.empty() && ids.size() < limit; word = words.next())
    append_word(word, scratch, ids);
}

inline void BytePairEncoder::append_word(std::string_view word, Scratch& scratch, std::vector<token_t>& ids) const {
  // The key of a word does not count blanks at its end.
  if (word.size() > WordKey::longest || word.ends_with(' ')) return merge_bytes(word, scratch, ids);
  const auto key = WordKey::of(word, false);
  if (const auto* const known = scratch.cache.find(key)) {
    ids.insert(ids.end(), known->ids.begin(), known->ids.begin() + static_cast<index_t>(known->count()));
    return;
  }
  const auto first = ids.size();
  merge_bytes(word, scratch, ids);
  scratch.cache.add(key, std::span(ids).subspan(first));
}

inline void BytePairEncoder::merge_bytes(std::string_view word, Scratch& scratch, std::vector<token_t>& ids) const {
  const auto first = ids.size();
  bool was_missing = false;
  for (const char byte : word) {
    const auto id = bytes_[static_cast<unsigned char>(byte)];
    const bool is_missing = id < 0;
    if (!is_missing) ids.push_back(id);
    else if (settings_.missing >= 0 && !(was_missing && settings_.fuse_missing)) ids.push_back(settings_.missing);
    was_missing = is_missing;
  }
  merges_.apply(ids, first, scratch.merges);
}

KNNBERT_INLINE BytePairEncoder::Lease BytePairEncoder::lend() const { return pool_->lend(); }

}  // namespace knnbert::inline v0_1
