#pragma once
#include <charconv>

#include "knnbert/config.hpp"
#include "knnbert/core/format.hpp"

namespace knnbert::inline v0_1::detail {

KNNBERT_INLINE void FormatArgument::append_to(std::string& out) const {
  const auto append_number = [&](auto number) {
    char digits[32];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
  };
  switch (kind_) {
    case Kind::text: out += text_; break;
    case Kind::character: out += character_; break;
    case Kind::integer: append_number(integer_); break;
    case Kind::natural: append_number(natural_); break;
    case Kind::single: append_number(single_); break;
    case Kind::real: append_number(real_); break;
  }
}

KNNBERT_INLINE std::string format_all(std::string_view pattern, std::initializer_list<FormatArgument> arguments) {
  std::string out;
  for (const FormatArgument& argument : arguments) {
    const auto brace = pattern.find("{}");
    if (brace == std::string_view::npos) break;
    out += pattern.substr(0, brace);
    argument.append_to(out);
    pattern.remove_prefix(brace + 2);
  }
  out += pattern;
  return out;
}

}  // namespace knnbert::inline v0_1::detail
