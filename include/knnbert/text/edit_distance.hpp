#pragma once
#include <algorithm>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "knnbert/core/types.hpp"
#include "knnbert/io/utf8.hpp"

namespace knnbert::inline v0_1 {

/// The characters of a text; bytes that are not UTF-8 count as U+FFFD.
inline std::u32string characters_of(std::string_view text) {
  std::u32string characters;
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at != end;) characters += unicode::decode(at, end);
  return characters;
}

/// Levenshtein's distance: how few characters have to be put in, taken away or replaced to make one text the other.
/// Cost: the product of the lengths of what differs, from the first difference to the last; memory: the longer text.
inline index_t edit_distance(std::u32string_view a, std::u32string_view b) {
  const auto first = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  const auto same = static_cast<std::size_t>(first.first - a.begin());
  a.remove_prefix(same), b.remove_prefix(same);
  const auto last = std::mismatch(a.rbegin(), a.rend(), b.rbegin(), b.rend());
  const auto tail = static_cast<std::size_t>(last.first - a.rbegin());
  a.remove_suffix(tail), b.remove_suffix(tail);
  std::vector<index_t> row(b.size() + 1);  // distances of what was read of a to each beginning of b
  std::iota(row.begin(), row.end(), index_t{0});
  for (const char32_t character : a) {
    index_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const index_t replaced = diagonal + index_t{character != b[j]};
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}
inline index_t edit_distance(std::string_view a, std::string_view b) {
  return edit_distance(characters_of(a), characters_of(b));
}

}  // namespace knnbert::inline v0_1
