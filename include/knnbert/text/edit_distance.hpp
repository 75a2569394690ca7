#pragma once
#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
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

namespace detail {

/// The distance where it is at most `most`, which is at least the difference of the lengths; else any larger number.
inline index_t edit_distance_up_to(std::u32string_view a, std::u32string_view b, index_t most) {
  const index_t n = std::ssize(a), m = std::ssize(b);
  std::vector<index_t> row(as_size(m + 1), most + 1);  // distances of what was read of a to each beginning of b
  for (index_t j = 0; j <= std::min(m, most); ++j) row[as_size(j)] = j;
  for (index_t i = 1; i <= n; ++i) {
    const index_t first = std::max<index_t>(1, i - most), last = std::min(m, i + most);
    index_t diagonal = std::exchange(row[as_size(first - 1)], first == 1 ? i : most + 1);
    for (index_t j = first; j <= last; ++j) {
      const index_t replaced = diagonal + index_t{a[as_size(i - 1)] != b[as_size(j - 1)]};
      diagonal = row[as_size(j)];
      row[as_size(j)] = std::min({replaced, diagonal + 1, row[as_size(j - 1)] + 1});
    }
  }
  return row.back();
}

}  // namespace detail

/// Levenshtein's distance: how few characters have to be put in, taken away or replaced to make one text the other.
/// Cost: the longer text times the distance (Ukkonen 1985); memory: the longer text.
inline index_t edit_distance(std::u32string_view a, std::u32string_view b) {
  constexpr index_t first_band = 16;
  const index_t longer = std::max(std::ssize(a), std::ssize(b));
  for (index_t most = std::max(first_band, std::abs(std::ssize(a) - std::ssize(b)));; most *= 2)
    if (const index_t distance = detail::edit_distance_up_to(a, b, most); distance <= most || most >= longer)
      return distance;
}
inline index_t edit_distance(std::string_view a, std::string_view b) {
  return edit_distance(characters_of(a), characters_of(b));
}

}  // namespace knnbert::inline v0_1
