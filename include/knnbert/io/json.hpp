#pragma once
#include <charconv>

#include "knnbert/io/atomic_file.hpp"
#include "knnbert/io/json_builder.hpp"
#include "knnbert/io/json_value.hpp"
#include "knnbert/io/lines.hpp"
#include "knnbert/io/placeholder.hpp"

namespace knnbert::inline v0_1 {

/// Parses one JSON value. Stricter than the grammar: an object must not repeat a key, nesting ends at 64 levels.
/// NaN, Infinity, comments, malformed UTF-8 and anything after the value are refused as well.
/// Errors: FormatError with name, line (counted from first_line) and byte.
inline Json parse_json(std::string_view text, std::string_view name, index_t first_line = 1) {
  Json value;
  const char* position = text.data();
  detail::JsonBuilder builder(value);
  const detail::WatchedCharacters begin{text.data(), &position}, end{text.data() + text.size(), nullptr};
  if (Json::sax_parse(begin, end, &builder)) return value;
  const index_t byte = position - text.data();
  raise<FormatError>("{}:{}: {} (byte {})", name, first_line + line_of(text, byte) - 1, builder.problem(), byte);
}

/// The JSON value of a file.  Errors: IoError, FormatError.
inline Json read_json(const std::filesystem::path& path, const ReadOptions& options = {}) {
  const auto text = read_text(path, options);
  refuse_placeholder(text, input_name(path));
  return parse_json(text, input_name(path));
}

/// A value as JSON text; indent -1 puts it on one line, non-finite numbers become null.
/// Errors: FormatError for strings with malformed UTF-8.
template <class AnyJson>
std::string json_text(const AnyJson& value, std::string_view name, int indent = -1) {
  try {
    return value.dump(indent);
  } catch (const Json::type_error&) {
    raise<FormatError>("{}: a string with malformed UTF-8 given, UTF-8 expected", name);
  }
}

/// Writes a JSON value atomically.  Errors: IoError; FormatError for strings with malformed UTF-8.
template <class AnyJson>
void write_json(const std::filesystem::path& path, const AnyJson& value, int indent = 2) {
  write_file_atomically(path, json_text(value, path.string(), indent) + "\n");
}

namespace detail {

/// The double whose shortest decimal is that of x: 0.1f is written as 0.1.
inline double shortest_decimal(float x) {
  char digits[32];
  double value = 0;
  std::from_chars(digits, std::to_chars(digits, digits + sizeof digits, x).ptr, value);
  return value;
}

}  // namespace detail

}  // namespace knnbert::inline v0_1
