#pragma once
#include <type_traits>

#include "knnbert/text/added_tokens.hpp"
#include "knnbert/text/white_space.hpp"

namespace knnbert::inline v0_1 {

inline std::size_t AddedTokenMatcher::next_start(std::string_view text, std::size_t at) const {
  const auto starts = [&](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return begin_[byte] != begin_[byte + 1u];
  };
  while (at < text.size() && !starts(text[at])) ++at;
  return at;
}

inline const AddedTokenMatcher::Pattern* AddedTokenMatcher::find(std::string_view text) const {
  const auto byte = static_cast<unsigned char>(text.front());
  for (auto i = begin_[byte]; i < begin_[byte + 1u]; ++i)
    if (text.starts_with(patterns_[i].token.content)) return &patterns_[i];
  return nullptr;
}

inline bool AddedTokenMatcher::stands_alone(std::string_view text, std::size_t first, std::size_t end) {
  if (first > 0 && unicode::is_word(unicode::character_before(text, 0, first).first)) return false;
  const char* at = text.data() + end;
  return end == text.size() || !unicode::is_word(unicode::decode(at, text.data() + text.size()));
}

template <class OnText, class OnToken>
inline void AddedTokenMatcher::operator()(std::string_view text, OnText&& on_text, OnToken&& on_token) const {
  std::size_t done = 0;
  for (std::size_t at = next_start(text, 0); at < text.size(); at = next_start(text, at)) {
    const auto* const pattern = find(text.substr(at));
    if (pattern == nullptr) {
      ++at;
      continue;
    }
    const auto end = at + pattern->token.content.size();
    if (pattern->matches && (!pattern->token.single_word || stands_alone(text, at, end))) {
      const auto first = pattern->token.strip_left ? unicode::space_before(text, done, at) : at;
      if (done < first) on_text(text.substr(done, first - done));
      done = pattern->token.strip_right ? unicode::space_after(text, end) : end;
      if constexpr (std::is_invocable_v<OnToken&, token_t, std::string_view>)
        on_token(pattern->token.id, text.substr(first, done - first));
      else on_token(pattern->token.id);
    }
    at = end;
  }
  if (done < text.size()) on_text(text.substr(done));
}

}  // namespace knnbert::inline v0_1
