#pragma once
#include <algorithm>
#include <charconv>
#include <cmath>

#include "knnbert/config.hpp"
#include "knnbert/text/dataset_labels.hpp"
#include "knnbert/text/label_kind.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE std::vector<std::string> names_in_set(std::string_view set, std::string_view separator) {
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin <= set.size();) {
    const auto end = separator.empty() ? set.size() : std::min(set.find(separator, begin), set.size());
    if (const auto name = detail::trim(set.substr(begin, end - begin)); !name.empty())
      names.push_back(detail::canonical_label(name));
    begin = end + std::max<std::size_t>(separator.size(), 1);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

KNNBERT_INLINE std::optional<double> number_in(std::string_view text) {
  double value = 0;
  text = detail::trim(text);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty() || !(std::abs(value) <= 1e30)) return {};
  return value;
}

KNNBERT_INLINE std::string canonical_label(std::string_view label, LabelKind kind, std::string_view separator) {
  if (kind == LabelKind::name) return detail::canonical_label(label);
  if (kind == LabelKind::number) {
    const auto value = number_in(label);
    if (!value) return std::string(label);
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, *value + 0.0).ptr;
    return std::string(text, end);
  }
  std::string joined;
  for (const auto& name : names_in_set(label, separator))
    joined += (joined.empty() ? "" : std::string(separator)) + name;
  return joined.empty() ? std::string(separator) : joined;
}

}  // namespace knnbert::inline v0_1
