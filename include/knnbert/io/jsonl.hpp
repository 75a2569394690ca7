#pragma once
#include "knnbert/io/json.hpp"

namespace knnbert::inline v0_1 {

/// Calls visit(const Json&, line number) for every line that is not blank; stops early if visit returns false.
/// Errors: FormatError with name and line.
template <class Visit>
void for_each_json_line(std::string_view text, std::string_view name, Visit&& visit) {
  for (LineReader reader(text); reader.next();) {
    if (reader.line().find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (!visit(parse_json(reader.line(), name, reader.number()), reader.number())) return;
  }
}

/// A value on one line without its end; malformed UTF-8 in strings becomes U+FFFD, non-finite numbers null.
template <class AnyJson>
std::string json_line(const AnyJson& value) {
  return value.dump(-1, ' ', false, AnyJson::error_handler_t::replace);
}

}  // namespace knnbert::inline v0_1
