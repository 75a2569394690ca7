#pragma once
#include <string>
#include <string_view>

namespace knnbert::inline v0_1 {

namespace detail {

/// A type as the compiler spells it, without the namespaces and the keywords that compilers disagree on.
inline std::string without_qualifiers(std::string_view spelled) {
  constexpr std::string_view skipped[] = {"{anonymous}::", "(anonymous namespace)::", "struct ", "class ", "enum "};
  std::string name;
  std::size_t word = 0;  // where the identifier that is being read begins in name
  for (std::size_t i = 0; i < spelled.size();) {
    bool skip = false;
    for (const auto text : skipped)
      if (spelled.substr(i).starts_with(text)) i += text.size(), skip = true;
    if (skip) continue;
    const char c = spelled[i];
    const bool letter = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
    if (spelled.substr(i).starts_with("::")) {
      name.resize(word), i += 2;
      continue;
    }
    if (c != ' ') name += c;
    if (!letter) word = name.size();
    ++i;
  }
  return name;
}

template <class T>
constexpr std::string_view spelled_type() {
  const std::string_view whole = __PRETTY_FUNCTION__;  // ... [with T = X; ...] or ... [T = X]
  const std::size_t begin = whole.find("T = ") + 4, semicolon = whole.find(';', begin);
  return whole.substr(begin, (semicolon == std::string_view::npos ? whole.rfind(']') : semicolon) - begin);
}

}  // namespace detail

/// A policy's type without namespaces, unless it is this library's: then nothing. Files keep it beside the name, which
/// a type derived from this library's has from there.
template <class Policy>
std::string foreign_type_name() {
  constexpr std::string_view spelled = detail::spelled_type<Policy>();
  return spelled.starts_with("knnbert::") ? std::string() : detail::without_qualifiers(spelled);
}

/// What files call a policy: its member name() or `name`, else its type without namespaces, such as
/// "Pairwise<Manhattan>".
template <class Policy>
std::string policy_name(const Policy& policy) {
  if constexpr (requires { std::string(policy.name()); }) return std::string(policy.name());
  else if constexpr (requires { std::string(Policy::name); }) return std::string(Policy::name);
  else return detail::without_qualifiers(detail::spelled_type<Policy>());
}

}  // namespace knnbert::inline v0_1
