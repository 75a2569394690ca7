#pragma once
#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "knnbert/text/white_space.hpp"

namespace knnbert::inline v0_1::detail {

inline std::string lower_ascii(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 'a' - 'A');
  return text;
}

/// Without blanks at both ends, those of Unicode too, nor characters without width.
inline std::string_view trim(std::string_view text) {
  constexpr std::string_view invisible[] = {"\xe2\x80\x8b", "\xe2\x81\xa0", "\xef\xbb\xbf"};  // U+200B, U+2060, U+FEFF
  for (auto before = text.size() + 1; before != text.size();) {
    before = text.size();
    text = text.substr(unicode::space_after(text, 0));
    text = text.substr(0, unicode::space_before(text, 0, text.size()));
    for (const auto character : invisible) {
      if (text.starts_with(character)) text.remove_prefix(character.size());
      if (text.ends_with(character)) text.remove_suffix(character.size());
    }
  }
  return text;
}

inline bool is_integer(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Digits with at most one point among them.
inline bool is_number(std::string_view text) {
  const auto point = text.find('.');
  if (point == std::string_view::npos) return is_integer(text);
  const auto fraction = text.substr(point + 1);
  return is_integer(text.substr(0, point)) && fraction.find_first_not_of("0123456789") == std::string_view::npos;
}

inline double number_of(std::string_view text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// The one name of labels that tools spell differently: 1.0 and 1 (pandas makes integers floats where one is missing),
/// True, TRUE and true.
inline std::string canonical_label(std::string_view label) {
  label = trim(label);
  if (const auto point = label.find('.'); point != std::string_view::npos && is_number(label) &&
                                          label.find_first_not_of('0', point + 1) == std::string_view::npos)
    label = label.substr(0, point);
  if (label == "-0") return "0";
  if (label == "True" || label == "TRUE") return "true";
  if (label == "False" || label == "FALSE") return "false";
  return std::string(label);
}

/// What tools write where there is no label.
inline bool is_missing_label(std::string_view label) {
  const auto name = lower_ascii(std::string(trim(label)));
  return name.empty() || name == "nan" || name == "<na>" || name == "#n/a" || name == "\\n";
}

/// The same beside labels that are all numbers; elsewhere these may be names of classes.
inline bool is_missing_number(std::string_view label) {
  const auto name = lower_ascii(std::string(label));
  return name == "na" || name == "n/a" || name == "null" || name == "none";
}

/// Sorts class names: as numbers if all are, else by their bytes.
inline void sort_classes(std::vector<std::string>& classes) {
  std::sort(classes.begin(), classes.end());
  if (std::all_of(classes.begin(), classes.end(), is_number))
    std::stable_sort(classes.begin(), classes.end(),
                     [](const auto& a, const auto& b) { return number_of(a) < number_of(b); });
}

}  // namespace knnbert::inline v0_1::detail
