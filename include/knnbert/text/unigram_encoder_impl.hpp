#pragma once
#include <algorithm>
#include <string>
#include <utility>

#include "knnbert/config.hpp"
#include "knnbert/io/utf8.hpp"
#include "knnbert/text/unigram_encoder.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE UnigramEncoder::UnigramEncoder(const Vocabulary& vocabulary, std::vector<double> scores, token_t unknown,
                                              bool byte_fallback)
    : trie_(vocabulary), scores_(std::move(scores)), unknown_(unknown), pool_(std::make_shared<LeasePool<Scratch>>()) {
  constexpr double penalty = 10;
  constexpr std::string_view digits = "0123456789ABCDEF";
  unknown_score_ = *std::min_element(scores_.begin(), scores_.end()) - penalty;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const auto piece = std::string("<0x") + digits[byte / 16] + digits[byte % 16] + '>';
    bytes_[byte] = byte_fallback ? vocabulary.find(piece).value_or(-1) : -1;
  }
}

inline void UnigramEncoder::find_best(std::string_view word, std::vector<Step>& steps) const {
  steps.assign(word.size() + 1, {});
  for (std::size_t at = 0; at < word.size();) {
    const auto score = steps[at].score;
    const auto offer = [&](std::size_t length, token_t id, double own) {
      auto& step = steps[at + length];
      if (step.length == 0 || score + own > step.score) step = {score + own, static_cast<std::uint32_t>(length), id};
    };
    const char* next = word.data() + at;
    unicode::decode(next, word.data() + word.size());
    const auto character = static_cast<std::size_t>(next - word.data()) - at;
    bool is_known = false;
    trie_(word.substr(at), [&](std::size_t length, token_t id) {
      is_known |= length == character;
      offer(length, id, scores_[static_cast<std::size_t>(id)]);
    });
    if (!is_known) offer(character, unknown_, unknown_score_);
    at += character;
  }
}

inline void UnigramEncoder::add_unknown(const Vocabulary& vocabulary, std::string_view word, std::size_t begin,
                                        std::size_t end, std::vector<PieceSpan>& pieces) const {
  const auto text = word.substr(begin, end - begin);
  const auto id_of = [&](char byte) { return bytes_[static_cast<unsigned char>(byte)]; };
  if (const auto id = vocabulary.find(text)) {
    pieces.push_back({*id, begin, end});
  } else if (std::any_of(text.begin(), text.end(), [&](char byte) { return id_of(byte) < 0; })) {
    pieces.push_back({unknown_, begin, end});
  } else {
    for (auto byte = text.size(); byte-- > 1;) pieces.push_back({id_of(text[byte]), end, end});
    pieces.push_back({id_of(text[0]), begin, end});
  }
}

KNNBERT_INLINE void UnigramEncoder::segment(const Vocabulary& vocabulary, std::string_view word,
                                            Scratch& scratch) const {
  find_best(word, scratch.steps);
  auto& pieces = scratch.pieces;
  pieces.clear();
  for (auto end = word.size(); end > 0;) {
    auto begin = end - scratch.steps[end].length;
    const auto id = scratch.steps[end].id;
    if (id == unknown_) {
      while (begin > 0 && scratch.steps[begin].id == unknown_) begin -= scratch.steps[begin].length;
      add_unknown(vocabulary, word, begin, end, pieces);
    } else {
      pieces.push_back({id, begin, end});
    }
    end = begin;
  }
  std::reverse(pieces.begin(), pieces.end());
}

KNNBERT_INLINE void UnigramEncoder::operator()(const Vocabulary& vocabulary, std::string_view word, Scratch& scratch,
                                               std::vector<token_t>& ids) const {
  const bool is_short = word.size() <= WordKey::longest && !word.ends_with(' ');  // a key does not count blanks there
  const auto key = is_short ? WordKey::of(word, false) : WordKey{};
  if (is_short)
    if (const auto* const known = scratch.cache.find(key)) {
      ids.insert(ids.end(), known->ids.begin(), known->ids.begin() + static_cast<index_t>(known->count()));
      return;
    }
  const auto first = static_cast<index_t>(ids.size());
  segment(vocabulary, word, scratch);
  for (const auto& piece : scratch.pieces) ids.push_back(piece.id);
  if (is_short) scratch.cache.add(key, {ids.begin() + first, ids.end()});
}

KNNBERT_INLINE UnigramEncoder::Lease UnigramEncoder::lend() const { return pool_->lend(); }

}  // namespace knnbert::inline v0_1
