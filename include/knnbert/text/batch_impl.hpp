#pragma once
#include "knnbert/config.hpp"
#include "knnbert/text/batch.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE void Batch::clear() {
  ids.clear();
  segments.clear();
  offsets.assign(1, 0);
}

KNNBERT_INLINE void Batch::close_text() {
  segments.resize(ids.size(), 0);
  offsets.push_back(std::ssize(ids));
}

KNNBERT_INLINE void Batch::append(const Batch& other, index_t index) {
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
