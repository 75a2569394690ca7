#pragma once
#include <algorithm>
#include <utility>

#include "knnbert/text/utf8.hpp"
#include "knnbert/text/vocabulary.hpp"

namespace knnbert {

/// Covers words by pieces of a vocabulary: from left to right always the longest one that fits. Pieces inside a word
/// carry a prefix in the vocabulary. A word that cannot be covered, or is too long, becomes the unknown token.
class GreedyPieces {
 public:
  /// End and hash of each beginning of a piece; reused from word to word.
  using Scratch = std::vector<std::pair<std::size_t, std::uint64_t>>;

  GreedyPieces(Vocabulary vocabulary, std::string prefix, token_t unknown, index_t max_characters)
      : vocabulary_(std::move(vocabulary)),
        prefix_(std::move(prefix)),
        prefix_hash_(Vocabulary::hash(prefix_)),
        unknown_(unknown),
        max_characters_(max_characters) {
    for (token_t id = 0; id < vocabulary_.size(); ++id) longest_ = std::max(longest_, vocabulary_.token(id).size());
  }

  const Vocabulary& vocabulary() const { return vocabulary_; }
  index_t max_characters() const { return max_characters_; }

  /// Appends the pieces of a word of UTF-8.  Cost: length of the word times length of the longest token.
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
      if (at == word.size() || !unicode::is_continuation(word[at])) scratch.emplace_back(at, hash);
    }
    for (auto beginning = scratch.rbegin(); beginning != scratch.rend(); ++beginning) {
      const auto [end, value] = *beginning;
      const auto id = vocabulary_.find(value, prefix, word.substr(first, end - first));
      if (id >= 0) return {id, end};
    }
    return {-1, first};
  }

  Vocabulary vocabulary_;
  std::string prefix_;
  std::uint64_t prefix_hash_;
  token_t unknown_;
  index_t max_characters_;
  std::size_t longest_ = 0;  // bytes of the longest token
};

}  // namespace knnbert
