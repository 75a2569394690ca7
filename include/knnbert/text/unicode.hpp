#pragma once
#include <algorithm>
#include <iterator>

#include "knnbert/text/unicode_case_table.hpp"
#include "knnbert/text/unicode_class_table.hpp"
#include "knnbert/text/unicode_composition_table.hpp"
#include "knnbert/text/unicode_letter_table.hpp"
#include "knnbert/text/unicode_property_table.hpp"
#include "knnbert/text/unicode_replacement_table.hpp"
#include "knnbert/text/unicode_word_table.hpp"

/// Properties of characters, each from the version of Unicode that tokenizers 0.23 uses for it.
namespace knnbert::inline v0_1::unicode {

/// Flags of a character, combined in one byte.
enum Property : std::uint8_t {
  dropped = 1,      ///< control, format and private use other than \t \n \r, and U+FFFD: removed by cleaning
  space = 2,        ///< White_Space
  punctuation = 4,  ///< categories P*, and S* within ASCII
  chinese = 8,      ///< in BERT's list of CJK blocks
  mark = 16,        ///< category Mn: removed with the accents
  decomposes = 32,  ///< has a canonical decomposition or a combining class: NFD may change or move it
  upper = 64,       ///< has another lower case
};

/// Flags of any code point up to U+10FFFF.
inline std::uint8_t properties(char32_t code) {
  const auto block = property_blocks[property_rows[code >> 12] * 64u + (code >> 6 & 63)];
  return property_sets[property_letters[block * 64u + (code & 63)] - 'A'];
}

namespace detail {

/// The entry of a table sorted by first that covers the code, nullptr if there is none.
template <class Range, std::size_t Size>
const Range* find_range(const Range (&table)[Size], char32_t code) {
  const auto above =
      std::upper_bound(table, table + Size, code, [](char32_t c, const Range& r) { return c < r.first; });
  return above != table && code <= std::prev(above)->last ? std::prev(above) : nullptr;
}

template <class Entry, std::size_t Size>
const Entry* find_entry(const Entry (&table)[Size], char32_t code) {
  const auto found = std::lower_bound(table, table + Size, code, [](const Entry& e, char32_t c) { return e.code < c; });
  return found != table + Size && found->code == code ? found : nullptr;
}

}  // namespace detail

/// Canonical combining class; 0 for characters that nothing moves across.
inline std::uint8_t combining_class(char32_t code) {
  const auto* const range = detail::find_range(class_ranges, code);
  return range ? range->combining_class : std::uint8_t{0};
}

/// Whether the character matches \w of regular expressions (UTS 18, annex C).
inline bool is_word(char32_t code) { return detail::find_range(word_ranges, code) != nullptr; }

/// Calls sink with each character of the full canonical decomposition, without reordering.
template <class Sink>
void decompose(char32_t code, Sink&& sink) {
  constexpr char32_t hangul = 0xac00, hangul_end = 0xd7a4, leads = 0x1100, vowels = 0x1161, trails = 0x11a7;
  if (code >= hangul && code < hangul_end) {
    const auto index = code - hangul;
    sink(leads + index / 588);
    sink(vowels + index % 588 / 28);
    if (index % 28 != 0) sink(trails + index % 28);
    return;
  }
  char32_t tail[3];
  int pending = 0;
  for (;;) {
    if (const auto* const pair = detail::find_entry(compositions, code)) {
      tail[pending++] = pair->second;
      code = pair->first;
    } else if (const auto* const single = detail::find_entry(replacements, code)) {
      code = single->by;
    } else {
      break;
    }
  }
  sink(code);
  while (pending > 0) sink(tail[--pending]);
}

/// Calls sink with each character of the lower case; the only one that gives two is U+0130. Independent of context.
template <class Sink>
void to_lower(char32_t code, Sink&& sink) {
  if (code == 0x130) {
    sink(U'i');
    sink(char32_t{0x307});
    return;
  }
  const auto* const range = detail::find_range(case_ranges, code);
  const bool changes = range && (code - range->first) % range->stride == 0;
  sink(changes ? static_cast<char32_t>(static_cast<std::int32_t>(code) + range->difference) : code);
}

}  // namespace knnbert::inline v0_1::unicode
