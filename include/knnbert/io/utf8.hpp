#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {
namespace unicode {

inline constexpr char32_t replacement_character = 0xfffd;

/// The character at the start of [at, end), which must not be empty; at moves behind it. Where the bytes are not UTF-8
/// they give one replacement character for each longest prefix of a well-formed sequence (Unicode 15, section 3.9).
inline char32_t decode(const char*& at, const char* end) {
  const auto lead = static_cast<unsigned char>(*at++);
  if (lead < 0x80) return lead;
  if (lead < 0xc2 || lead > 0xf4) return replacement_character;
  const int following = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
  // Bounds of the next byte: nothing overlong, no surrogates, nothing above 10FFFF.
  unsigned first = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  unsigned last = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  char32_t code = lead & (0x3fu >> following);
  for (int i = 0; i < following; ++i) {
    if (at == end || static_cast<unsigned char>(*at) < first || static_cast<unsigned char>(*at) > last)
      return replacement_character;
    code = code << 6 | (static_cast<unsigned char>(*at++) & 0x3f);
    first = 0x80, last = 0xbf;
  }
  return code;
}

/// Appends the UTF-8 of a character that is not a surrogate.
inline void encode(char32_t code, std::string& out) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (code >> shift & 0x3f)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    tail(6), tail(0);
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    tail(12), tail(6), tail(0);
  }
}

/// Whether a byte of UTF-8 continues a character.
inline bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

}  // namespace unicode

/// Offset of the first byte that is not part of well-formed UTF-8, -1 if there is none.
inline index_t find_invalid_utf8(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    if (std::uint64_t eight; end - at >= 8 && (std::memcpy(&eight, at, 8), (eight & 0x8080808080808080u) == 0)) {
      at += 8;
      continue;
    }
    const char* const first = at;
    if (unicode::decode(at, end) != unicode::replacement_character) continue;
    if (std::string_view(first, static_cast<std::size_t>(at - first)) != "\xef\xbf\xbd") return first - text.data();
  }
  return -1;
}

/// The text with what is not UTF-8 replaced as unicode::decode does.
inline std::string repair_utf8(std::string_view text) {
  std::string out;
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at != end;) unicode::encode(unicode::decode(at, end), out);
  return out;
}

/// The first characters of a text, `bytes` at most.
inline std::string_view first_characters(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && unicode::is_continuation(text[bytes])) --bytes;
  return text.substr(0, bytes);
}

}  // namespace knnbert::inline v0_1
