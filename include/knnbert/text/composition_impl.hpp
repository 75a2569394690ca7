#pragma once
#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "knnbert/config.hpp"
#include "knnbert/io/utf8.hpp"
#include "knnbert/text/composition.hpp"
#include "knnbert/text/unicode.hpp"
#include "knnbert/text/unicode_compatibility_table.hpp"
#include "knnbert/text/unicode_composed_table.hpp"
#include "knnbert/text/unicode_wide_compatibility_table.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// A character and its combining class.
using Classed = std::pair<std::uint8_t, char32_t>;

/// The run of a table of triples that covers the code, nullptr if there is none.
template <std::size_t Size>
const std::uint16_t* find_compatibility(const std::uint16_t (&runs)[Size], char32_t code) {
  std::size_t first = 0, last = Size / 3;  // the runs that begin at the code or before end between them
  while (first < last) {
    const auto middle = (first + last) / 2;
    if (runs[3 * middle] <= code) first = middle + 1;
    else last = middle;
  }
  if (first == 0) return nullptr;
  const auto* const run = runs + 3 * (first - 1);
  return code < run[0] + (run[1] >> 6u) ? run : nullptr;
}

inline void add_decomposed(char32_t code, bool compatibility, std::vector<Classed>& out) {
  const auto add = [&](char32_t c) {
    const bool may_move = unicode::properties(c) & unicode::decomposes;
    out.emplace_back(may_move ? unicode::combining_class(c) : std::uint8_t{0}, c);
  };
  const auto low = code & 0xffff;
  const auto* const run = !compatibility || code >= 0x20000 ? nullptr
                          : code < 0x10000                  ? find_compatibility(unicode::compatibility_runs, low)
                                                            : find_compatibility(unicode::wide_compatibility_runs, low);
  if (run == nullptr) return unicode::decompose(code, add);
  for (std::size_t i = 0; i < (run[1] & 31u); ++i)
    add(unicode::compatibility_texts[run[2] + i] + (i == 0 && (run[1] & 32) ? low - run[0] : 0));
}

/// What two characters compose to, 0 for nothing.
inline char32_t composed(char32_t first, char32_t second) {
  constexpr char32_t hangul = 0xac00, hangul_end = 0xd7a4, leads = 0x1100, vowels = 0x1161, trails = 0x11a7;
  if (first >= leads && first < leads + 19 && second >= vowels && second < vowels + 21)
    return hangul + ((first - leads) * 21 + (second - vowels)) * 28;
  if (first >= hangul && first < hangul_end && (first - hangul) % 28 == 0 && second > trails && second < trails + 28)
    return first + (second - trails);
  const auto pair = std::pair(first, second);
  const auto found = std::lower_bound(std::begin(unicode::composition_order), std::end(unicode::composition_order),
                                      pair, [](std::uint16_t place, const std::pair<char32_t, char32_t>& wanted) {
                                        return std::pair(unicode::compositions[place].first,
                                                         unicode::compositions[place].second) < wanted;
                                      });
  if (found == std::end(unicode::composition_order)) return 0;
  const auto& entry = unicode::compositions[*found];
  return entry.first == first && entry.second == second ? entry.code : 0;
}

/// Whether nothing before a decomposed character can move or compose with it.
inline bool stands_apart(const Classed& character) {
  const auto [combining, c] = character;
  if (combining != 0 || (c >= 0x1161 && c < 0x1176) || (c > 0x11a7 && c < 0x11c3)) return false;
  return !std::binary_search(std::begin(unicode::composing_starters), std::end(unicode::composing_starters), c);
}

inline void order_marks(std::vector<Classed>& characters) {
  const auto is_starter = [](const Classed& c) { return c.first == 0; };
  for (auto at = characters.begin(); at != characters.end();) {
    at = std::find_if_not(at, characters.end(), is_starter);
    const auto end = std::find_if(at, characters.end(), is_starter);
    std::stable_sort(at, end, [](const Classed& a, const Classed& b) { return a.first < b.first; });
    at = end;
  }
}

inline void compose_ordered(std::vector<Classed>& characters) {
  constexpr auto none = static_cast<std::size_t>(-1);
  std::size_t size = 0, starter = none;
  for (const auto& character : characters) {
    const bool is_near = starter != none && (size == starter + 1 || characters[size - 1].first < character.first);
    const auto whole = is_near ? composed(characters[starter].second, character.second) : 0;
    if (whole != 0) {
      characters[starter].second = whole;
      continue;
    }
    if (character.first == 0) starter = size;
    characters[size++] = character;
  }
  characters.resize(size);
}

}  // namespace detail

KNNBERT_INLINE void compose(AlignedView from, bool compatibility, AlignedText& to) {
  const char* const begin = from.text.data();
  const char* const end = begin + from.text.size();
  std::vector<detail::Classed> characters, next;
  std::string text;
  std::size_t first = 0;
  const auto close = [&](std::size_t last) {
    detail::order_marks(characters);
    detail::compose_ordered(characters);
    text.clear();
    for (const auto& character : characters) unicode::encode(character.second, text);
    const auto part = from.part(first, last);
    if (text == part.text) to.keep(part);
    else to.replace(part, text);
    characters.clear();
    first = last;
  };
  for (const char* at = begin; at != end;) {
    const auto place = static_cast<std::size_t>(at - begin);
    next.clear();
    detail::add_decomposed(unicode::decode(at, end), compatibility, next);
    if (!characters.empty() && detail::stands_apart(next.front())) close(place);
    characters.insert(characters.end(), next.begin(), next.end());
  }
  if (!characters.empty()) close(from.text.size());
}

}  // namespace knnbert::inline v0_1
