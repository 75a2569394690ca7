#pragma once
#include <utility>

#include "knnbert/config.hpp"
#include "knnbert/core/error.hpp"
#include "knnbert/text/character_map.hpp"
#include "knnbert/text/unicode_grapheme.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE CharacterMap::CharacterMap(std::string bytes) : bytes_(std::move(bytes)) {
  const auto word = [&](std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes_[at + i]);
    return value;
  };
  const std::size_t size = bytes_.size() < 4 ? 0 : word(0) / 4;
  if (size == 0 || size > (bytes_.size() - 4) / 4)
    raise<OptionError>("CharacterMap: a trie of {} units in {} bytes given, one that fits expected", size,
                       bytes_.size());
  for (std::size_t i = 0; i < size; ++i) units_.push_back(word(4 + 4 * i));
  replacements_ = bytes_.substr(4 + 4 * size);
  if (const auto at = find_invalid_utf8(replacements_); at >= 0)
    raise<OptionError>("CharacterMap: replacements with malformed UTF-8 at byte {} given, UTF-8 expected", at);
  check_trie();
  for (std::size_t c = 0; c < unchanged_.size(); ++c) {
    const char text = static_cast<char>(c);
    unchanged_[c] = !find({&text, 1});
  }
}

/// All children of a node lie within 256 units.
inline void CharacterMap::require_inside(std::size_t node) const {
  if ((node | 0xff) >= units_.size())
    raise<OptionError>("CharacterMap: a trie of {} units given that leads to unit {}", units_.size(), node | 0xff);
}

inline void CharacterMap::check_trie() const {
  std::vector<bool> seen(units_.size());
  std::vector<std::size_t> open{offset(units_[0])};
  require_inside(open.back());
  while (!open.empty()) {
    const auto node = open.back();
    open.pop_back();
    for (std::size_t byte = 1; byte < 256; ++byte) {
      const auto child = node ^ byte;
      const auto unit = units_[child];
      if (label(unit) != byte || seen[child]) continue;
      seen[child] = true;
      open.push_back(child ^ offset(unit));
      require_inside(open.back());
      if (!has_leaf(unit)) continue;
      const auto place = units_[open.back()] & 0x7fffffff;
      const bool is_inside = place < replacements_.size() && !unicode::is_continuation(replacements_[place]);
      if (!is_inside && place != replacements_.size())
        raise<OptionError>("CharacterMap: replacement at byte {} given, the start of a character among {} expected",
                           place, replacements_.size());
    }
  }
}

inline std::optional<std::size_t> CharacterMap::find(std::string_view text) const {
  auto node = offset(units_[0]);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0) break;
    node ^= byte;
    const auto unit = units_[node];
    if (label(unit) != byte) break;
    node ^= offset(unit);
    if (has_leaf(unit)) return units_[node] & 0x7fffffff;
  }
  return std::nullopt;
}

inline std::string_view CharacterMap::replacement(std::size_t place) const {
  const auto rest = std::string_view(replacements_).substr(place);
  return rest.substr(0, rest.find('\0'));
}

inline void CharacterMap::replace(AlignedView from, AlignedText& to) const {
  constexpr std::size_t longest = 5;
  if (from.text.size() <= longest)
    if (const auto place = find(from.text)) return to.replace(from, replacement(*place));
  each_character(from, [&](char32_t, AlignedView character) {
    if (const auto place = find(character.text)) to.replace(character, replacement(*place));
    else to.keep(character);
  });
}

KNNBERT_INLINE void CharacterMap::operator()(AlignedView from, AlignedText& to) const {
  const auto text = from.text;
  const auto is_plain = [&](std::size_t at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    return byte < 0x80 && unchanged_[byte];
  };
  const auto is_ascii = [&](std::size_t at) {
    return at == text.size() || static_cast<unsigned char>(text[at]) < 0x80;
  };
  for (std::size_t at = 0; at < text.size();) {
    auto last = at;  // no cluster but CR LF spans two ASCII characters
    while (last < text.size() && is_plain(last) && is_ascii(last + 1) && text[last] != '\r') ++last;
    if (last == at) {
      last = unicode::grapheme_end(text, at);
      replace(from.part(at, last), to);
    } else {
      to.keep(from.part(at, last));
    }
    at = last;
  }
}

}  // namespace knnbert::inline v0_1
