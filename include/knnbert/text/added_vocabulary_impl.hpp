#pragma once
#include <algorithm>
#include <string>
#include <utility>

#include "knnbert/config.hpp"
#include "knnbert/core/error.hpp"
#include "knnbert/text/added_vocabulary.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

[[noreturn]] inline void raise_taken_id(std::string_view content, token_t id) {
  raise<OptionError>("added token '{}' has id {}, which is not its own", content, id);
}

}  // namespace detail

inline void AddedVocabulary::add_names(const Vocabulary& vocabulary, const std::vector<AddedToken>& tokens) {
  std::vector<std::pair<token_t, std::string>> extra;
  for (const auto& token : tokens) {
    const auto known = vocabulary.find(token.content);
    if (known ? *known != token.id : token.id < vocabulary.size()) detail::raise_taken_id(token.content, token.id);
    if (!known) extra.emplace_back(token.id, token.content);
  }
  std::sort(extra.begin(), extra.end());
  std::vector<std::string> names;
  for (auto& [id, content] : extra) {
    if (id < size_) detail::raise_taken_id(content, id);
    size_ = index_t{id} + 1;
    ids_.push_back(id);
    names.push_back(std::move(content));
  }
  names_ = Vocabulary(names);
}

KNNBERT_INLINE AddedVocabulary::AddedVocabulary(const Vocabulary& vocabulary, const std::vector<AddedToken>& tokens,
                                                AddedTokenMatching matching, const std::vector<std::string>& contents)
    : size_(vocabulary.size()) {
  add_names(vocabulary, tokens);
  const auto is_wanted = [&](const AddedToken& token) { return matching == AddedTokenMatching::all || !token.special; };
  if (matching == AddedTokenMatching::none || std::none_of(tokens.begin(), tokens.end(), is_wanted)) return;
  std::vector<AddedTokenMatcher::Pattern> raw, normalized;
  for (const bool special : {true, false}) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const auto& token = tokens[i];
      if (token.special != special) continue;
      auto& patterns = token.normalized ? normalized : raw;
      patterns.push_back({token, is_wanted(token)});
      if (token.normalized) patterns.back().token.content = contents[i];
    }
  }
  raw_ = AddedTokenMatcher(std::move(raw));
  normalized_ = AddedTokenMatcher(std::move(normalized));
}

KNNBERT_INLINE std::optional<token_t> AddedVocabulary::find(std::string_view content) const {
  const auto place = names_.find(content);
  return place ? std::optional(ids_[static_cast<std::size_t>(*place)]) : std::nullopt;
}

KNNBERT_INLINE std::string_view AddedVocabulary::token(token_t id) const {
  const auto found = std::lower_bound(ids_.begin(), ids_.end(), id);
  if (found == ids_.end() || *found != id) return {};
  return names_.token(static_cast<token_t>(found - ids_.begin()));
}

}  // namespace knnbert::inline v0_1
