#pragma once
#include <algorithm>
#include <numeric>

#include "knnbert/text/batch.hpp"
#include "knnbert/torch/device.hpp"

namespace knnbert::inline v0_1::detail {

/// When texts of another length want a bucket of their own: once padding would take more than its share of so many
/// slots.
struct BucketLimits {
  double padding;
  index_t smallest;
};

/// A batch on a device. Tokens stay packed, [T, ...] without padding, in all layers but attention; texts are ordered by
/// length, and attention runs over buckets of texts of similar lengths, which alone are padded.
struct PackedBatch {
  struct Bucket {
    index_t first = 0, rows = 0, texts = 0, length = 0;  // rows: real tokens; length: of the longest text
    at::Tensor row_of_slot, slot_of_row, kept;           // [texts * length], [rows], bool [texts, 1, 1, length];
                                                         // undefined without padding
    bool padded() const { return row_of_slot.defined(); }
  };

  index_t texts = 0;
  at::Tensor ids, segments, positions;    // [T] of packed rows
  at::Tensor text_of_row;                 // [T], numbers of the batch
  at::Tensor token_of_row, row_of_token;  // [T], permutations between the batch's tokens and packed rows
  at::Tensor first_row, length;           // [B], float [B, 1], of the batch's texts
  std::vector<Bucket> buckets;

  PackedBatch() = default;
  PackedBatch(const Batch& batch, const BucketLimits& limits, at::Device device, index_t first_position)
      : texts(batch.size()) {
    const index_t tokens = batch.tokens();
    std::vector<index_t> order(static_cast<std::size_t>(texts));
    std::iota(order.begin(), order.end(), index_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](index_t a, index_t b) { return batch.length(a) < batch.length(b); });
    // Everything travels in one copy: tokens' numbers first, then texts', then buckets'.
    std::vector<std::int64_t> all(static_cast<std::size_t>(6 * tokens + 2 * texts));
    const auto part = [&](index_t which) { return all.data() + which * tokens; };
    index_t row = 0;
    for (const index_t text : order) {
      all[static_cast<std::size_t>(6 * tokens + text)] = row;
      all[static_cast<std::size_t>(6 * tokens + texts + text)] = batch.length(text);
      for (index_t t = 0; t < batch.length(text); ++t, ++row) {
        const index_t token = batch.offsets[text] + t;
        part(0)[row] = batch.ids[token], part(1)[row] = batch.segments[token], part(2)[row] = first_position + t;
        part(3)[row] = text, part(4)[row] = token, part(5)[token] = row;
      }
    }
    for (index_t first = 0; first < texts;) first = add_bucket(batch, order, first, limits, all);
    const at::Tensor there = to_device(std::span<const std::int64_t>(all), device);
    index_t at = 0;
    const auto take = [&](index_t count) { return there.narrow(0, std::exchange(at, at + count), count); };
    for (at::Tensor* t : {&ids, &segments, &positions, &text_of_row, &token_of_row, &row_of_token}) *t = take(tokens);
    first_row = take(texts);
    length = take(texts).to(at::kFloat).view({texts, 1});
    for (Bucket& b : buckets) {
      if (b.texts * b.length == b.rows) continue;
      b.row_of_slot = take(b.texts * b.length);
      b.slot_of_row = take(b.rows);
      b.kept = take(b.texts * b.length).to(at::kBool).view({b.texts, 1, 1, b.length});
    }
  }

 private:
  /// A bucket from text order[first] on; returns where the next one starts.
  index_t add_bucket(const Batch& batch, std::span<const index_t> order, index_t first, const BucketLimits& limits,
                     std::vector<std::int64_t>& all) {
    Bucket b;
    if (!buckets.empty()) b.first = buckets.back().first + buckets.back().rows;
    index_t last = first;
    for (; last < std::ssize(order); ++last) {
      const index_t longest = batch.length(order[static_cast<std::size_t>(last)]), slots = (last - first + 1) * longest,
                    rows = b.rows + longest;
      if (last > first && slots > limits.smallest &&
          static_cast<double>(slots - rows) > limits.padding * static_cast<double>(slots))
        break;
      b.rows = rows, b.length = longest;
    }
    b.texts = last - first;
    if (b.texts * b.length != b.rows) {
      std::vector<std::int64_t> slots, kept;
      index_t row = 0;
      for (index_t i = first; i < last; ++i) {
        const index_t size = batch.length(order[static_cast<std::size_t>(i)]);
        for (index_t t = 0; t < b.length; ++t) {
          all.push_back(row + (t < size ? t : 0));  // padding repeats a real row: its numbers are finite
          if (t < size) slots.push_back((i - first) * b.length + t);
          kept.push_back(t < size);
        }
        row += size;
      }
      all.insert(all.end(), slots.begin(), slots.end());
      all.insert(all.end(), kept.begin(), kept.end());
    }
    buckets.push_back(std::move(b));
    return last;
  }
};

}  // namespace knnbert::inline v0_1::detail
