#pragma once
#include <algorithm>
#include <optional>

#include "knnbert/core/error.hpp"
#include "knnbert/io/utf8.hpp"

namespace knnbert::inline v0_1 {

/// Character encoding of a text file. A byte-order mark says more than this: it is always obeyed. ISO-8859-1 is read as
/// its superset windows-1252, as browsers do.
enum class Encoding { utf8, windows1252, utf16le, utf16be, latin1 = windows1252 };

/// The encoding of a name such as "utf8", "latin1", "windows-1252" or "UTF-16BE".  Errors: OptionError.
inline Encoding parse_encoding(std::string_view name) {
  constexpr std::pair<std::string_view, Encoding> known[] = {
      {"utf8", Encoding::utf8},       {"windows1252", Encoding::windows1252}, {"cp1252", Encoding::windows1252},
      {"latin1", Encoding::latin1},   {"iso88591", Encoding::latin1},         {"utf16", Encoding::utf16le},
      {"utf16le", Encoding::utf16le}, {"utf16be", Encoding::utf16be},         {"ascii", Encoding::utf8},
  };
  std::string plain;
  for (const char c : name)
    if (c != '-' && c != '_') plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 'a' - 'A') : c;
  for (const auto& entry : known)
    if (entry.first == plain) return entry.second;
  raise<OptionError>("parse_encoding: '{}' given, utf8, latin1, windows-1252, utf16le or utf16be expected", name);
}

/// The text with every byte read as a windows-1252 character, in UTF-8. The five bytes without a character stay control
/// characters (encoding.spec.whatwg.org), so bytes outside of 0x80 to 0x9f mean the same as in ISO-8859-1.
inline std::string windows1252_to_utf8(std::string_view text) {
  constexpr char16_t special[] = {0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021,
                                  0x2c6,  0x2030, 0x160,  0x2039, 0x152,  0x8d,   0x17d,  0x8f,
                                  0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
                                  0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0x9d,   0x17e,  0x178};
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    unicode::encode(byte >= 0x80 && byte < 0xa0 ? special[byte - 0x80] : byte, out);
  }
  return out;
}

/// UTF-16 without byte-order mark as UTF-8.  Errors: FormatError with the byte where it is malformed.
inline std::string utf16_to_utf8(std::string_view text, bool big_endian, std::string_view name) {
  std::string out;
  const auto unit = [&](std::size_t at) -> char32_t {
    if (at + 2 > text.size()) raise<FormatError>("{}: malformed UTF-16: the text ends within a character", name);
    const auto first = static_cast<unsigned char>(text[at]), second = static_cast<unsigned char>(text[at + 1]);
    return static_cast<char32_t>(big_endian ? first << 8 | second : second << 8 | first);
  };
  for (std::size_t at = 0; at < text.size(); at += 2) {
    char32_t code = unit(at);
    if (code >= 0xd800 && code < 0xe000) {
      const char32_t low = code < 0xdc00 && at + 2 < text.size() ? unit(at + 2) : 0;
      if (low < 0xdc00 || low > 0xdfff) raise<FormatError>("{}: malformed UTF-16 at byte {}", name, at);
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      at += 2;
    }
    unicode::encode(code, out);
  }
  return out;
}

/// Whether a text is UTF-32, by its byte-order mark or because every fourth byte is zero, as in no other encoding.
inline bool is_utf32(std::string_view text) {
  constexpr std::size_t enough = 4096;
  const auto sample = text.substr(0, std::min(enough, text.size()) / 4 * 4);
  if (sample.starts_with(std::string_view("\xff\xfe\0\0", 4)) ||
      sample.starts_with(std::string_view("\0\0\xfe\xff", 4)))
    return true;
  for (const std::size_t high :
       {0u, 3u}) {  // the byte that is always zero; beside it 0, or up to 16 in rare characters
    std::size_t zeros = 0, units = 0;
    for (std::size_t i = 0; i < sample.size() && sample[i + high] == '\0'; i += 4, ++units) {
      const auto beside = static_cast<unsigned char>(sample[i + (high == 0 ? 1 : 2)]);
      if (beside > 0x10) break;
      zeros += beside == 0;
    }
    if (units > 0 && 4 * units == sample.size() && 2 * zeros > units) return true;
  }
  return false;
}

/// Which UTF-16 a text without byte-order mark seems to be, from where its zero bytes lie; in UTF-8 they are rare.
inline std::optional<Encoding> guess_utf16(std::string_view text) {
  constexpr std::size_t enough = 4096;
  const auto sample = text.substr(0, enough);
  std::size_t zeros[2] = {0, 0}, lines = 0, wide_lines[2] = {0, 0};  // zeros before a line feed, and behind it
  for (std::size_t i = 0; i < sample.size(); ++i) {
    zeros[i % 2] += sample[i] == '\0';
    if (sample[i] != '\n') continue;
    ++lines;
    wide_lines[0] += i % 2 == 1 && sample[i - 1] == '\0';
    wide_lines[1] += i % 2 == 0 && i + 1 < sample.size() && sample[i + 1] == '\0';
  }
  // Most characters of Latin script have a zero; in others at least the line ends have.
  for (const std::size_t parity : {0u, 1u}) {
    const bool latin = 4 * zeros[parity] > sample.size() && 3 * zeros[1 - parity] <= zeros[parity];
    const bool other = zeros[1 - parity] == 0 && lines > 0 && wide_lines[parity] == lines;
    if (zeros[parity] > 0 && (latin || other)) return parity == 0 ? Encoding::utf16be : Encoding::utf16le;
  }
  return std::nullopt;
}

}  // namespace knnbert::inline v0_1
