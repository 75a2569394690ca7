#pragma once
#include <charconv>
#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>

namespace knnbert::inline v0_1 {

namespace detail {

inline void append(std::string& out, std::string_view text) { out += text; }
inline void append(std::string& out, const char* text) { out += text; }
inline void append(std::string& out, bool value) { out += value ? "true" : "false"; }
inline void append(std::string& out, char value) { out += value; }

template <class Number>
  requires std::integral<Number> || std::floating_point<Number>
void append(std::string& out, Number value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end.ptr);
}

}  // namespace detail

/// Replaces each {} of pattern by the next argument; numbers in their shortest exact form. A stand-in for std::format
/// (absent from libstdc++ 12) that knows no format specifications.
template <class... Arguments>
std::string format(std::string_view pattern, const Arguments&... arguments) {
  std::string out;
  [[maybe_unused]] const auto next = [&](const auto& argument) {
    const auto brace = pattern.find("{}");
    if (brace == std::string_view::npos) return;
    out += pattern.substr(0, brace);
    detail::append(out, argument);
    pattern.remove_prefix(brace + 2);
  };
  (next(arguments), ...);
  out += pattern;
  return out;
}

}  // namespace knnbert::inline v0_1
