#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "knnbert/core/error.hpp"
#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// Token ids of several texts end to end. Nothing is padded: text i occupies [offsets[i], offsets[i + 1]).
/// Special tokens are part of the ids; segments[t] is 1 for tokens of the second text of a pair, else 0.
struct Batch {
  std::vector<token_t> ids;            // [T]
  std::vector<std::uint8_t> segments;  // [T]
  std::vector<index_t> offsets{0};     // [B + 1]

  index_t size() const { return std::ssize(offsets) - 1; }  ///< number of texts B
  index_t tokens() const { return offsets.back(); }         ///< number of tokens T
  index_t length(index_t text) const { return offsets[as_size(text + 1)] - offsets[as_size(text)]; }
  std::span<const token_t> text(index_t text) const {
    return std::span(ids).subspan(static_cast<std::size_t>(offsets[as_size(text)]),
                                  static_cast<std::size_t>(length(text)));
  }

  void clear();

  /// Errors: ShapeError unless offsets ascend from 0 to the number of ids and of segments.
  void require_whole(std::string_view where) const;

  /// Closes the text whose ids were appended since the last call; missing segments are filled with 0.
  void close_text();

  /// Appends text `index` of another batch.
  void append(const Batch& other, index_t index);

  /// Texts [first, first + count).
  Batch slice(index_t first, index_t count) const;

  /// The chosen texts, in the given order.
  Batch select(std::span<const index_t> texts) const;

  /// Becomes the chosen texts of another batch.
  void assign(const Batch& other, std::span<const index_t> texts);
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/text/batch_impl.hpp"
#endif
