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
    const auto is_wanted = [&](const AddedToken& token) {
      return matching == AddedTokenMatching::all || !token.special;
    };
    if (matching == AddedTokenMatching::none || std::none_of(tokens.begin(), tokens.end(), is_wanted)) return;
    std::vector<AddedTokenMatcher::Pattern> raw, normalized;
    for (const bool special : {true, false}) {
      for (const auto& token : tokens) {
        if (token.special != special) continue;
        auto& patterns = token.normalized ? normalized : raw;
        patterns.push_back({token, is_wanted(token)});
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
    const auto found = std::lower_bound(ids_.begin(), ids_.end(), id);
    if (found == ids_.end() || *found != id) return {};
    return names_.token(static_cast<token_t>(found - ids_.begin()));
  }

 private:
  void add_names(const Vocabulary& vocabulary, const std::vector<AddedToken>& tokens) {
    std::vector<std::pair<token_t, std::string>> extra;
    for (const auto& token : tokens) {
      const auto known = vocabulary.find(token.content);
      if (known ? *known != token.id : token.id < vocabulary.size()) raise_taken(token.content, token.id);
      if (!known) extra.emplace_back(token.id, token.content);
    }
    std::sort(extra.begin(), extra.end());
    std::vector<std::string> names;
    for (auto& [id, content] : extra) {
      if (id < size_) raise_taken(content, id);
      size_ = index_t{id} + 1;
      ids_.push_back(id);
      names.push_back(std::move(content));
    }
    names_ = Vocabulary(names);
  }

  [[noreturn]] static void raise_taken(std::string_view content, token_t id) {
    raise<OptionError>("AddedVocabulary: token '{}' has id {}, which is not its own", content, id);
  }

  Vocabulary names_;
  std::vector<token_t> ids_;  // of names_, ascending
  AddedTokenMatcher raw_, normalized_;
  index_t size_;
};

}  // namespace knnbert
