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

/// A value on one line without its end; malformed UTF-8 in strings becomes U+FFFD, non-finite numbers null. What other
/// readers of lines take for an end, U+0085, U+2028 and U+2029, is escaped.
template <class AnyJson>
std::string json_line(const AnyJson& value) {
  const std::string text = value.dump(-1, ' ', false, AnyJson::error_handler_t::replace);
  std::string line;
  std::size_t done = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto at = std::string_view(text).substr(i);
    const std::string_view escaped = at.starts_with("\xc2\x85")       ? "\\u0085"
                                     : at.starts_with("\xe2\x80\xa8") ? "\\u2028"
                                     : at.starts_with("\xe2\x80\xa9") ? "\\u2029"
                                                                      : "";
    if (escaped.empty()) continue;
    line.append(text, done, i - done) += escaped;
    done = i + (escaped == "\\u0085" ? 2 : 3);
  }
  return line.append(text, done);
}

}  // namespace knnbert::inline v0_1
