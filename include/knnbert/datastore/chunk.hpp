#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "knnbert/core/buffer.hpp"
#include "knnbert/core/view.hpp"

namespace knnbert::inline v0_1::detail {

/// A block of entries. Rows are written once, before any snapshot shows them, and never change; whoever raises
/// `claimed` owns the rows in between, so that two copies of a store can share a block that still has room.
struct Chunk {
  /// lanes: of a key in bf16, 0 without these.
  Chunk(index_t rows, index_t columns, index_t lanes)
      : width(columns), lanes_wide(lanes), keys(rows * columns), lowered(rows * lanes),
        labels(static_cast<std::size_t>(rows)), ids(labels.size()), texts(labels.size()), pairs(labels.size()) {}

  index_t capacity() const { return std::ssize(labels); }
  View rows(index_t first, index_t count) const { return {keys.data() + first * width, count, width}; }
  View lowered_rows(index_t first, index_t count) const {
    return {lowered.data() + first * lanes_wide, count, lanes_wide};
  }

  bool claim(index_t from, index_t count) {
    return from + count <= capacity() && claimed.compare_exchange_strong(from, from + count);
  }

  index_t width, lanes_wide;
  AlignedBuffer<float> keys;     // [capacity, width], without padding
  AlignedBuffer<float> lowered;  // [capacity, lanes_wide], the same as bf16, or empty
  std::vector<label_t> labels;
  std::vector<example_id> ids;            // ascending
  std::vector<std::string> texts, pairs;  // pairs: second texts, empty where there is none
  std::atomic<index_t> claimed{0};
};

/// The rows of a chunk that a snapshot shows.
struct ChunkView {
  std::shared_ptr<Chunk> chunk;
  index_t first = 0;  ///< position of its first row in the store
  index_t rows = 0;
  float longest = 0;  ///< length of its longest key, where keys are lowered
  std::shared_ptr<const std::vector<std::uint64_t>> removed = nullptr;  ///< a bit a row; none if all live

  bool lives(index_t row) const {
    return !removed || ((*removed)[static_cast<std::size_t>(row / 64)] >> (row % 64) & 1) == 0;
  }
  ConstView keys() const { return chunk->rows(0, rows); }
  ConstView lowered() const { return chunk->lowered_rows(0, rows); }
  label_t label(index_t row) const { return chunk->labels[static_cast<std::size_t>(row)]; }
  example_id id(index_t row) const { return chunk->ids[static_cast<std::size_t>(row)]; }
  const std::string& text(index_t row) const { return chunk->texts[static_cast<std::size_t>(row)]; }
  const std::string& pair(index_t row) const { return chunk->pairs[static_cast<std::size_t>(row)]; }
};

}  // namespace knnbert::inline v0_1::detail
