#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "knnbert/text/vocabulary.hpp"

namespace knnbert::inline v0_1 {

/// All tokens of a vocabulary that a text begins with, in one pass over the longest of them: a double array, 12 bytes
/// for each prefix of tokens.  Thread-safe.
/// Source: Aoe 1989, An efficient digital search algorithm by using a double-array structure.
class PieceTrie {
 public:
  /// Errors: FormatError for more prefixes than 32 bits can number.
  explicit PieceTrie(const Vocabulary& vocabulary);

  /// Calls on_piece(length, id) for each token that the text begins with, shorter ones first.
  template <class OnPiece>
  void operator()(std::string_view text, OnPiece&& on_piece) const {
    std::uint32_t node = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
      const auto child = units_[node].base + static_cast<unsigned char>(text[at]);
      if (units_[child].parent != node) return;
      if (units_[child].id >= 0) on_piece(at + 1, units_[child].id);
      node = child;
    }
  }

  index_t units() const { return static_cast<index_t>(units_.size()); }  ///< of the array

 private:
  static constexpr auto none = static_cast<std::uint32_t>(-1);

  struct Unit {
    std::uint32_t base = 0;       // children are at base + byte
    std::uint32_t parent = none;  // none: the unit is free
    token_t id = -1;              // of the token that ends here
  };

  using Pieces = std::vector<std::pair<std::string_view, token_t>>;

  /// Tokens [first, last) of a sorted list share the first `depth` bytes, which lead to the node.
  struct Range {
    std::size_t first, last, depth;
    std::uint32_t node;
  };

  void add_children(const Pieces& pieces, const Range& range, std::vector<Range>& open);
  /// A base whose units for all the bytes, ascending, are free.
  std::uint32_t find_base(const std::vector<unsigned char>& bytes);

  std::vector<Unit> units_;                 // 256 units are behind each base
  std::size_t first_free_ = 1, start_ = 1;  // start_: before it next to nothing was found
  int failures_ = 0;                        // in a row
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/text/piece_trie_impl.hpp"
#endif
