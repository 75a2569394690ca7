#pragma once
#include <algorithm>

#include "knnbert/config.hpp"
#include "knnbert/text/batch.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE void Batch::clear() {
  ids.clear();
  segments.clear();
  offsets.assign(1, 0);
}

KNNBERT_INLINE void Batch::require_whole(std::string_view where) const {
  if (offsets.empty() || offsets.front() != 0 || !std::is_sorted(offsets.begin(), offsets.end()) ||
      std::ssize(ids) != tokens() || std::ssize(segments) != tokens())
    raise<ShapeError>(
        "{}: {} ids, {} segments and offsets {} to {} given, offsets that ascend from 0 to the number of both expected",
        where, ids.size(), segments.size(), offsets.empty() ? 0 : offsets.front(),
        offsets.empty() ? 0 : offsets.back());
}

KNNBERT_INLINE void Batch::close_text() {
  segments.resize(ids.size(), 0);
  offsets.push_back(std::ssize(ids));
}

KNNBERT_INLINE void Batch::append(const Batch& other, index_t index) {
  if (index < 0 || index >= other.size())
    raise<ShapeError>("Batch: text {} of {} given, 0 to {} expected", index, other.size(), other.size() - 1);
  const auto first = other.offsets[as_size(index)], last = other.offsets[as_size(index + 1)];
  ids.insert(ids.end(), other.ids.begin() + first, other.ids.begin() + last);
  segments.insert(segments.end(), other.segments.begin() + first, other.segments.begin() + last);
  offsets.push_back(std::ssize(ids));
}

KNNBERT_INLINE Batch Batch::slice(index_t first, index_t count) const {
  Batch part;
  for (index_t text = first; text < first + count; ++text) part.append(*this, text);
  return part;
}

KNNBERT_INLINE Batch Batch::select(std::span<const index_t> texts) const {
  Batch chosen;
  chosen.assign(*this, texts);
  return chosen;
}

KNNBERT_INLINE void Batch::assign(const Batch& other, std::span<const index_t> texts) {
  clear();
  for (const index_t text : texts) append(other, text);
}

}  // namespace knnbert::inline v0_1
