#pragma once
#include "knnbert/text/added_tokens.hpp"
#include "knnbert/text/normalizer.hpp"
#include "knnbert/text/vocabulary.hpp"

namespace knnbert {

/// Added tokens beside a vocabulary: their names and ids, and what finds them in text.
class AddedVocabulary {
 public:
  /// Errors: OptionError for a token whose id belongs to another one.
  AddedVocabulary(const Vocabulary& vocabulary, const std::vector<AddedToken>& tokens, AddedTokenMatching matching,
                  const Normalizer& normalizer)
      : size_(vocabulary.size()) {
    add_names(vocabulary, tokens);
    if (matching == AddedTokenMatching::none) return;
    std::vector<AddedTokenMatcher::Pattern> raw, normalized;
    for (const bool special : {true, false}) {
      for (const auto& token : tokens) {
        if (token.special != special) continue;
        const bool matches = !special || matching == AddedTokenMatching::all;
        auto& patterns = token.normalized ? normalized : raw;
        patterns.push_back({token, matches});
        if (token.normalized) patterns.back().token.content = normalizer.normalize(token.content);
      }
    }
    raw_ = AddedTokenMatcher(std::move(raw));
    normalized_ = AddedTokenMatcher(std::move(normalized));
  }

  index_t size() const { return size_; }  ///< ids of the vocabulary and of added tokens are below
  const AddedTokenMatcher& raw() const { return raw_; }
  const AddedTokenMatcher& normalized() const { return normalized_; }

  /// A token that the vocabulary lacks.
  std::optional<token_t> find(std::string_view content) const {
    const auto place = names_.find(content);
    return place ? std::optional(ids_[static_cast<std::size_t>(*place)]) : std::nullopt;
  }

  /// Content of a token that the vocabulary lacks, empty for an unused id.
  std::string_view token(token_t id) const {
    const auto found = std::find(ids_.begin(), ids_.end(), id);
    return found == ids_.end() ? std::string_view() : names_.token(static_cast<token_t>(found - ids_.begin()));
  }

 private:
  void add_names(const Vocabulary& vocabulary, const std::vector<AddedToken>& tokens) {
    std::vector<std::string> names;
    for (const auto& token : tokens) {
      const auto known = vocabulary.find(token.content);
      const bool is_new = std::find(ids_.begin(), ids_.end(), token.id) == ids_.end();
      if (known ? *known != token.id : token.id < vocabulary.size() || !is_new)
        raise<OptionError>("AddedVocabulary: token '{}' has id {}, which is not its own", token.content, token.id);
      if (known) continue;
      names.push_back(token.content);
      ids_.push_back(token.id);
      size_ = std::max(size_, index_t{token.id} + 1);
    }
    names_ = Vocabulary(names);
  }

  Vocabulary names_;
  std::vector<token_t> ids_;  // of names_
  AddedTokenMatcher raw_, normalized_;
  index_t size_;
};

}  // namespace knnbert
