#pragma once
#include <string>
#include <string_view>

#include "knnbert/core/types.hpp"

namespace knnbert {

/// Character encoding of a text file.
enum class Encoding { utf8, latin1 };

/// The text with every byte read as an ISO-8859-1 character, in UTF-8.
inline std::string latin1_to_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xc0 | byte >> 6);
      out += static_cast<char>(0x80 | (byte & 0x3f));
    }
  }
  return out;
}

namespace detail {

/// Bytes of the well-formed UTF-8 sequence at the start of a non-empty text, 0 if there is none.
/// Source: Unicode 15, table 3-7.
inline index_t utf8_sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const index_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  for (std::size_t i = 1; i < static_cast<std::size_t>(length); ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  const bool out_of_range = (lead == 0xed && byte(1) >= 0xa0) || (lead == 0xf4 && byte(1) >= 0x90);
  return overlong || out_of_range ? 0 : length;
}

}  // namespace detail

/// Offset of the first byte that is not part of well-formed UTF-8, -1 if there is none.
inline index_t find_invalid_utf8(std::string_view text) {
  for (index_t at = 0; at < std::ssize(text);) {
    const auto length = detail::utf8_sequence_length(text.substr(static_cast<std::size_t>(at)));
    if (length == 0) return at;
    at += length;
  }
  return -1;
}

}  // namespace knnbert
