#pragma once
#include <string_view>
#include <utility>

#include "knnbert/io/utf8.hpp"
#include "knnbert/text/unicode.hpp"

namespace knnbert::inline v0_1::unicode {

/// The character that ends at `end` and its first byte; nothing before `first` < end is looked at.
inline std::pair<char32_t, std::size_t> character_before(std::string_view text, std::size_t first, std::size_t end) {
  auto start = end - 1;
  while (start > first && end - start < 4 && is_continuation(text[start])) --start;
  const char* at = text.data() + start;
  const auto code = decode(at, text.data() + end);
  if (at == text.data() + end) return {code, start};
  return {replacement_character, end - 1};
}

/// Start of the white space that ends at `end`, `first` at the earliest.
inline std::size_t space_before(std::string_view text, std::size_t first, std::size_t end) {
  while (end > first) {
    const auto [code, start] = character_before(text, first, end);
    if (!(properties(code) & space)) break;
    end = start;
  }
  return end;
}

/// End of the white space that starts at `first`.
inline std::size_t space_after(std::string_view text, std::size_t first) {
  const char* at = text.data() + first;
  const char* const end = text.data() + text.size();
  for (const char* next = at; at != end; at = next)
    if (!(properties(decode(next, end)) & space)) break;
  return static_cast<std::size_t>(at - text.data());
}

}  // namespace knnbert::inline v0_1::unicode
