#pragma once
#include <string_view>

#include "knnbert/io/utf8.hpp"
#include "knnbert/text/unicode.hpp"
#include "knnbert/text/unicode_grapheme_table.hpp"

/// Extended grapheme clusters.  Source: Unicode 17, annex 29, rules GB3 to GB999.
namespace knnbert::inline v0_1::unicode {

enum class GraphemeKind : std::uint8_t {
  other,
  control,
  extend,
  linker,
  zero_width_joiner,
  regional,
  prepend,
  spacing,
  lead,
  vowel,
  trail,
  pictograph,
  consonant,
  syllable,
  closed_syllable,
  carriage_return,
  line_feed
};

inline GraphemeKind grapheme_kind(char32_t code) {
  if (code == '\r') return GraphemeKind::carriage_return;
  if (code == '\n') return GraphemeKind::line_feed;
  if (code >= 0x3400 && code < 0xa66f) return GraphemeKind::other;
  if (code >= 0xac00 && code < 0xd7a4)
    return (code - 0xac00) % 28 == 0 ? GraphemeKind::syllable : GraphemeKind::closed_syllable;
  const auto* const range = detail::find_range(grapheme_ranges, code);
  return range ? static_cast<GraphemeKind>(range->kind) : GraphemeKind::other;
}

/// Where the characters of a cluster have led to.
class GraphemeState {
 public:
  explicit GraphemeState(char32_t first) { enter(first, grapheme_kind(first)); }

  /// Whether the next character belongs to the cluster; if so it is taken.
  bool take(char32_t code) {
    const auto kind = grapheme_kind(code);
    if (breaks_before(kind)) return false;
    enter(code, kind);
    return true;
  }

 private:
  using enum GraphemeKind;

  static bool is_control(GraphemeKind kind) { return kind == control || kind == carriage_return || kind == line_feed; }
  static bool extends(GraphemeKind kind) { return kind == extend || kind == linker || kind == zero_width_joiner; }

  bool breaks_before(GraphemeKind next) const {
    if (last_ == carriage_return && next == line_feed) return false;
    if (is_control(last_) || is_control(next)) return true;
    if (extends(next) || next == spacing || last_ == prepend || joins_syllable(next)) return false;
    if (next == consonant) return conjunct_ < 2;
    if (next == pictograph) return !(last_ == zero_width_joiner && pictograph_);
    return !(next == regional && last_ == regional && odd_regional_);
  }

  bool joins_syllable(GraphemeKind next) const {
    if (last_ == lead) return next == lead || next == vowel || next == syllable || next == closed_syllable;
    if (last_ == syllable || last_ == vowel) return next == vowel || next == trail;
    return (last_ == closed_syllable || last_ == trail) && next == trail;
  }

  void enter(char32_t code, GraphemeKind kind) {
    if (kind == consonant) conjunct_ = 1;
    else if (kind == linker) conjunct_ = conjunct_ > 0 ? 2 : 0;
    else if (!extends(kind) || code == 0x200c) conjunct_ = 0;
    if (!extends(kind)) pictograph_ = kind == pictograph;
    else if (last_ == zero_width_joiner) pictograph_ = false;  // at most one, at the end
    odd_regional_ = kind == regional && !(last_ == regional && odd_regional_);
    last_ = kind;
  }

  GraphemeKind last_ = other;
  int conjunct_ = 0;  // 1: a consonant and what extends it, 2: a linker among that
  bool pictograph_ = false, odd_regional_ = false;
};

/// End of the cluster that begins at `first`, which must not be the end of the text.
inline std::size_t grapheme_end(std::string_view text, std::size_t first) {
  const char* at = text.data() + first;
  const char* const end = text.data() + text.size();
  GraphemeState state(decode(at, end));
  for (const char* next = at; next != end; at = next)
    if (!state.take(decode(next, end))) break;
  return static_cast<std::size_t>(at - text.data());
}

}  // namespace knnbert::inline v0_1::unicode
