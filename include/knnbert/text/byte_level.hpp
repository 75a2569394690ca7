#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "knnbert/io/utf8.hpp"
#include "knnbert/text/unicode.hpp"

/// Text as byte-level tokenizers see it.  Source: Radford et al. 2019, section 2.2, and its published code.
namespace knnbert::inline v0_1 {

/// The character that stands for each byte in a vocabulary: itself if it is visible in Latin-1, else the next free one
/// from U+0100 on.
inline constexpr std::array<char32_t, 256> byte_characters = [] {
  std::array<char32_t, 256> characters{};
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool is_visible = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte != 0xad);
    characters[byte] = is_visible ? byte : next++;
  }
  return characters;
}();

/// Cuts UTF-8 into words as the pattern of GPT-2 does, each byte into one word:
/// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
class ByteLevelWords {
 public:
  /// The text must outlive the object.
  explicit ByteLevelWords(std::string_view text) : at_(text.data()), end_(at_ + text.size()) {}

  /// The next word; an empty one at the end of the text.
  std::string_view next() {
    const char* const first = at_;
    if (first != end_) at_ = word_end(first);
    return {first, static_cast<std::size_t>(at_ - first)};
  }

 private:
  enum Kind : std::uint8_t { other, letter, number, space };

  static Kind kind_of(char32_t code) {  // beyond ASCII
    if (unicode::properties(code) & unicode::space) return space;
    const auto* const range = unicode::detail::find_range(unicode::letter_ranges, code);
    return range == nullptr ? other : range->is_letter ? letter : number;
  }

  /// The kind of the character at a place, which moves behind it.
  Kind take(const char*& at) const {
    const auto byte = static_cast<unsigned char>(*at);
    if (byte >= 0x80) return kind_of(unicode::decode(at, end_));
    ++at;
    return ascii_kinds[byte];
  }

  const char* word_end(const char* first) const {
    const char* at = first;
    const auto kind = take(at);
    if (*first == '\'')
      if (const auto length = contraction(at)) return at + length;
    if (*first == ' ' && at != end_) {
      const char* behind = at;
      if (const auto next = take(behind); next != space) return run_end(behind, next);
    }
    return kind == space ? space_end(first) : run_end(at, kind);
  }

  /// Length of what follows the apostrophe of an English contraction, 0 if there is none.
  std::size_t contraction(const char* at) const {
    const std::string_view rest(at, static_cast<std::size_t>(end_ - at));
    for (const std::string_view tail : {"s", "t", "re", "ve", "m", "ll", "d"})
      if (rest.starts_with(tail)) return tail.size();
    return 0;
  }

  const char* run_end(const char* at, Kind kind) const {
    for (const char* next = at; at != end_; at = next)
      if (take(next) != kind) break;
    return at;
  }

  /// White space before other characters leaves its last character to them, if it has more than one.
  const char* space_end(const char* first) const {
    const char *last = first, *at = first;
    for (const char* next = at; at != end_; last = at, at = next)
      if (take(next) != space) return last == first ? at : last;
    return end_;
  }

  static constexpr std::array<Kind, 128> ascii_kinds = [] {
    std::array<Kind, 128> kinds{};
    for (std::size_t c = 0; c < 128; ++c) {
      if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) kinds[c] = letter;
      else if (c >= '0' && c <= '9') kinds[c] = number;
      else if (c == ' ' || (c >= '\t' && c <= '\r')) kinds[c] = space;
    }
    return kinds;
  }();

  const char* at_;
  const char* end_;
};

}  // namespace knnbert::inline v0_1
