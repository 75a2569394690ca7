#pragma once
#include "knnbert/config.hpp"
#include "knnbert/core/error.hpp"
#include "knnbert/text/text_pattern.hpp"
#include "knnbert/text/white_space.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// The character at `at`, which moves behind it.
inline char32_t take_character(std::string_view text, std::size_t& at) {
  const char* next = text.data() + at;
  const auto code = unicode::decode(next, text.data() + text.size());
  at = static_cast<std::size_t>(next - text.data());
  return code;
}

}  // namespace detail

KNNBERT_INLINE TextPattern::TextPattern(const std::string& text, bool is_regex) : text_(text) {
  if (is_regex && !read_regex(text))
    raise<OptionError>(
        "TextPattern: regular expression '{}' given, a character or \\s, alone or with + or {{n,}}, "
        "expected",
        text);
  if (text.empty()) raise<OptionError>("TextPattern: an empty text given, one that is not empty expected");
}

KNNBERT_INLINE ByteSpan TextPattern::find(std::string_view text, std::size_t at) const {
  if (least_ == 0) {
    const auto found = text.find(text_, at);
    return found == text.npos ? ByteSpan{text.size(), text.size()} : ByteSpan{found, found + text_.size()};
  }
  while (at < text.size()) {
    auto end = at;
    std::size_t count = 0;
    for (auto next = unit_end(text, end); next > end; next = repeats_ ? unit_end(text, end) : end) {
      end = next;
      ++count;
    }
    if (count >= least_) return {at, end};
    if (end == at) detail::take_character(text, end);
    at = end;
  }
  return {text.size(), text.size()};
}

KNNBERT_INLINE std::size_t TextPattern::unit_end(std::string_view text, std::size_t at) const {
  if (!is_space_) return text.substr(at).starts_with(text_) ? at + text_.size() : at;
  auto end = at;
  if (end < text.size() && unicode::properties(detail::take_character(text, end)) & unicode::space) return end;
  return at;
}

KNNBERT_INLINE bool TextPattern::read_regex(std::string_view text) {
  if (text.empty()) return false;
  std::size_t end = text.front() == '\\' && text.size() > 1 ? 1 : 0;
  const auto unit = end;
  is_space_ = end == 1 && text[1] == 's';
  const bool is_escape = end == 1 && (unicode::properties(static_cast<unsigned char>(text[1])) & unicode::punctuation);
  if (end == 1 && !is_space_ && !is_escape) return false;
  if (end == 0 && text.find_first_of("\\^$.|?*+()[]{}") == 0) return false;
  detail::take_character(text, end);
  text_ = text.substr(unit, end - unit);
  least_ = 1;
  const auto rest = text.substr(end);
  repeats_ = !rest.empty();
  return rest.empty() || rest == "+" || (rest.starts_with('{') && rest.ends_with(",}") && read_count(rest));
}

KNNBERT_INLINE bool TextPattern::read_count(std::string_view braces) {
  if (braces.size() < 4 || braces.size() > 7) return false;
  least_ = 0;
  for (const char digit : braces.substr(1, braces.size() - 3)) {
    if (digit < '0' || digit > '9') return false;
    least_ = least_ * 10 + static_cast<std::size_t>(digit - '0');
  }
  return least_ > 0;
}

}  // namespace knnbert::inline v0_1
