#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "knnbert/io/utf8.hpp"

namespace knnbert::inline v0_1 {

/// Bytes [begin, end) of a text.
struct ByteSpan {
  std::size_t begin = 0, end = 0;
  friend bool operator==(const ByteSpan&, const ByteSpan&) = default;
};

/// Text and, where somebody asked for it, the span of the original text that each of its bytes comes from.
struct AlignedView {
  std::string_view text;
  const ByteSpan* origins = nullptr;  ///< [text.size()] or none

  AlignedView part(std::size_t first, std::size_t last) const {
    return {text.substr(first, last - first), origins == nullptr ? nullptr : origins + first};
  }

  /// What [first, last), not empty, comes from.
  ByteSpan origin(std::size_t first, std::size_t last) const { return {origins[first].begin, origins[last - 1].end}; }
};

/// Calls on_character(code, part) for each character of UTF-8.
template <class OnCharacter>
void each_character(AlignedView from, OnCharacter&& on_character) {
  const char* const begin = from.text.data();
  const char* const end = begin + from.text.size();
  for (const char* at = begin; at != end;) {
    const auto first = static_cast<std::size_t>(at - begin);
    const auto code = unicode::decode(at, end);
    on_character(code, from.part(first, static_cast<std::size_t>(at - begin)));
  }
}

/// The same, to be written. The first byte of what replaces something comes from all of it, the others from its end, so
/// that parts of the text have origins that do not overlap.
class AlignedText {
 public:
  bool is_aligned() const { return is_aligned_; }
  AlignedView view() const { return {text_, is_aligned_ ? origins_.data() : nullptr}; }

  /// Starts anew, with origins if asked for.
  void clear(bool is_aligned) {
    text_.clear();
    origins_.clear();
    is_aligned_ = is_aligned;
  }

  /// Becomes a part of the original text, which begins there at `offset`.
  void assign(std::string_view original, std::size_t offset, bool is_aligned) {
    clear(is_aligned);
    text_ = original;
    if (is_aligned)
      for (std::size_t i = 0; i < original.size(); ++i) origins_.push_back({offset + i, offset + i + 1});
  }

  /// Appends `from` as it is.
  void keep(AlignedView from) {
    text_ += from.text;
    if (is_aligned_) origins_.insert(origins_.end(), from.origins, from.origins + from.text.size());
  }

  /// Appends `by` for `from`, which must not be empty.
  void replace(AlignedView from, std::string_view by) {
    text_ += by;
    if (!is_aligned_ || by.empty()) return;
    const auto origin = from.origin(0, from.text.size());
    origins_.push_back(origin);
    origins_.resize(text_.size(), {origin.end, origin.end});
  }

  /// Appends what nothing of the text corresponds to, before `from`, which must not be empty.
  void insert_before(AlignedView from, std::string_view by) {
    text_ += by;
    if (is_aligned_) origins_.resize(text_.size(), {from.origins[0].begin, from.origins[0].begin});
  }

 private:
  std::string text_;
  std::vector<ByteSpan> origins_;
  bool is_aligned_ = false;
};

}  // namespace knnbert::inline v0_1
