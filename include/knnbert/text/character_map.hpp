#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knnbert/text/aligned_text.hpp"

namespace knnbert::inline v0_1 {

/// SentencePiece's precompiled map of characters to their replacements: the size of a trie in bytes, its units (a
/// double array of Darts-clone), and the replacements, each ended by a zero byte.
class CharacterMap {
 public:
  /// Errors: OptionError for a map that is cut off, whose trie leads outside of it or whose replacements are not UTF-8.
  explicit CharacterMap(std::string bytes);

  const std::string& bytes() const { return bytes_; }

  /// Replaces as tokenizers does: grapheme clusters below six bytes as a whole where one begins with a known prefix, of
  /// which the shortest counts, others character by character.
  void operator()(AlignedView from, AlignedText& to) const;

 private:
  static bool has_leaf(std::uint32_t unit) { return (unit >> 8 & 1) != 0; }
  static std::uint32_t label(std::uint32_t unit) { return unit & 0x800000ff; }
  static std::size_t offset(std::uint32_t unit) { return std::size_t{unit >> 10} << ((unit & 0x200) >> 6); }

  void require_inside(std::size_t node) const;
  void check_trie() const;
  /// Place of the replacement for the shortest known prefix.
  std::optional<std::size_t> find(std::string_view text) const;
  std::string_view replacement(std::size_t place) const;
  void replace(AlignedView from, AlignedText& to) const;

  std::string bytes_, replacements_;
  std::vector<std::uint32_t> units_;
  std::array<bool, 128> unchanged_;  // ASCII characters without a replacement
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/text/character_map_impl.hpp"
#endif
