#pragma once
#include <algorithm>
#include <bit>

#include "knnbert/config.hpp"
#include "knnbert/io/utf8.hpp"
#include "knnbert/text/greedy_pieces.hpp"

namespace knnbert::inline v0_1 {

inline void GreedyPieces::note_beginnings(std::string_view token) {
  auto hash = Vocabulary::empty_hash;
  for (std::size_t i = 0; i < token.size(); ++i) {
    hash = Vocabulary::extend(hash, token[i]);
    const auto place = hash >> shift_;
    filter_[place / 32] |= std::uint64_t{i + 1 == token.size() ? 1u : 2u} << 2 * (place % 32);
  }
}

KNNBERT_INLINE GreedyPieces::GreedyPieces(Vocabulary vocabulary, std::string prefix, token_t unknown,
                                          index_t max_characters)
    : vocabulary_(std::move(vocabulary)), prefix_(std::move(prefix)), prefix_hash_(Vocabulary::hash(prefix_)),
      unknown_(unknown), max_characters_(max_characters) {
  std::size_t bytes = 0;
  for (token_t id = 0; id < vocabulary_.size(); ++id) {
    longest_ = std::max(longest_, vocabulary_.token(id).size());
    bytes += vocabulary_.token(id).size();
  }
  filter_.resize(std::bit_ceil(bytes / 16 + 1));
  shift_ = 64 - 5 - std::countr_zero(filter_.size());
  for (token_t id = 0; id < vocabulary_.size(); ++id) note_beginnings(vocabulary_.token(id));
}

inline std::pair<token_t, std::size_t> GreedyPieces::longest_piece(std::string_view word, std::size_t first,
                                                                   Scratch& scratch) const {
  const std::string_view prefix = first == 0 ? std::string_view() : std::string_view(prefix_);
  auto hash = first == 0 ? Vocabulary::empty_hash : prefix_hash_;
  const auto last = first + std::min(longest_, word.size() - first);
  scratch.clear();
  for (auto at = first; at < last;) {
    hash = Vocabulary::extend(hash, word[at++]);
    const auto [ends, continues] = noted(hash);
    if (ends && (at == word.size() || !unicode::is_continuation(word[at]))) scratch.emplace_back(at, hash);
    if (!continues) break;
  }
  for (auto beginning = scratch.rbegin(); beginning != scratch.rend(); ++beginning) {
    const auto [end, value] = *beginning;
    const auto id = vocabulary_.find(value, prefix, word.substr(first, end - first));
    if (id >= 0) return {id, end};
  }
  return {-1, first};
}

KNNBERT_INLINE void GreedyPieces::cover(std::string_view word, index_t characters, Scratch& scratch,
                                        std::vector<token_t>& ids) const {
  const auto first_id = ids.size();
  auto covered = characters <= max_characters_;
  for (std::size_t at = 0; covered && at < word.size();) {
    const auto [id, end] = longest_piece(word, at, scratch);
    covered = id >= 0;
    at = end;
    ids.push_back(id);
  }
  if (covered) return;
  ids.resize(first_id);
  ids.push_back(unknown_);
}

}  // namespace knnbert::inline v0_1
