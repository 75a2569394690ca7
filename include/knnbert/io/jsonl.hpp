#pragma once
#include "knnbert/io/json.hpp"

namespace knnbert::inline v0_1 {

/// Calls visit(const Json&, line number) for every line that is not blank; stops early if visit returns false.
/// Errors: FormatError with name and line.
template <class Visit>
void for_each_json_line(std::string_view text, std::string_view name, Visit&& visit) {
  for (LineReader reader(text); reader.next();) {
    const auto line = without_mark(reader.line());
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (!visit(parse_json(line, name, reader.number()), reader.number())) return;
  }
}

namespace detail {

/// The character of two or three bytes at the front of valid UTF-8, if lines should not hold it as it is: control
/// characters, which a terminal obeys, what other readers of lines take for an end (U+0085, U+2028 and U+2029), and
/// what turns the direction of writing (U+202A to U+202E and U+2066 to U+2069). Else 0.
inline unsigned unprintable(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  if (byte(0) == 0xc2) return byte(1) < 0xa0 ? byte(1) : 0;
  if (byte(0) != 0xe2) return 0;
  const unsigned c = 0x2000u | (byte(1) & 0x3fu) << 6 | (byte(2) & 0x3fu);
  return (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ? c : 0;
}

}  // namespace detail

/// A value on one line without its end; malformed UTF-8 in strings becomes U+FFFD, non-finite numbers null. Characters
/// that are not to be seen but act on a terminal or on a reader of lines are escaped.
template <class AnyJson>
std::string json_line(const AnyJson& value) {
  const std::string text = value.dump(-1, ' ', false, AnyJson::error_handler_t::replace);
  std::string line;
  std::size_t done = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned code = detail::unprintable(std::string_view(text).substr(i));
    if (code == 0) continue;
    line.append(text, done, i - done) += "\\u";
    for (const int shift : {12, 8, 4, 0}) line += "0123456789abcdef"[code >> shift & 0xfu];
    done = i + (code < 0x800 ? 2 : 3);
  }
  return line.append(text, done);
}

}  // namespace knnbert::inline v0_1
