#pragma once
#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "knnbert/io/utf8.hpp"
#include "knnbert/text/vocabulary.hpp"

namespace knnbert {

/// Covers words by pieces of a vocabulary: from left to right always the longest one that fits. Pieces inside a word
/// carry a prefix in the vocabulary. A word that cannot be covered, or is too long, becomes the unknown token.
class GreedyPieces {
 public:
  /// End and hash of each beginning of a word that may be a token; reused from word to word.
  using Scratch = std::vector<std::pair<std::size_t, std::uint64_t>>;

  GreedyPieces(Vocabulary vocabulary, std::string prefix, token_t unknown, index_t max_characters)
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

  const Vocabulary& vocabulary() const { return vocabulary_; }
  index_t max_characters() const { return max_characters_; }

  /// Appends the pieces of a word of UTF-8.  Cost: at most length of the word times length of the longest token, as a
  /// rule the length of the word.
  void cover(std::string_view word, index_t characters, Scratch& scratch, std::vector<token_t>& ids) const {
    const auto first_id = ids.size();
    auto fits = characters <= max_characters_;
    for (std::size_t at = 0; fits && at < word.size();) {
      const auto [id, end] = longest_piece(word, at, scratch);
      fits = id >= 0;
      at = end;
      ids.push_back(id);
    }
    if (fits) return;
    ids.resize(first_id);
    ids.push_back(unknown_);
  }

 private:
  /// The longest token at a place of the word and its end; id -1 if there is none.
  std::pair<token_t, std::size_t> longest_piece(std::string_view word, std::size_t first, Scratch& scratch) const {
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

  void note_beginnings(std::string_view token) {
    auto hash = Vocabulary::empty_hash;
    for (std::size_t i = 0; i < token.size(); ++i) {
      hash = Vocabulary::extend(hash, token[i]);
      const auto place = hash >> shift_;
      filter_[place / 32] |= std::uint64_t{i + 1 == token.size() ? 1u : 2u} << 2 * (place % 32);
    }
  }

  Vocabulary vocabulary_;
  std::string prefix_;
  std::uint64_t prefix_hash_;
  token_t unknown_;
  index_t max_characters_;
  std::size_t longest_ = 0;            // bytes of the longest token
  std::vector<std::uint64_t> filter_;  // 2 bits a place; the beginnings of tokens take at most half of the places
  int shift_ = 0;                      // hash to place
};

}  // namespace knnbert
