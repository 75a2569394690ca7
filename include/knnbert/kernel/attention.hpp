#pragma once
#include "knnbert/kernel/softmax.hpp"
#include "knnbert/kernel/tile.hpp"
#include "knnbert/kernel/transpose.hpp"

/// Scaled dot-product attention of one text and one head: softmax(Q K^T * scale) V over its true length, no padding.
namespace knnbert::inline v0_1::kernel {

/// Views of one head: columns of wider matrices.
struct AttentionHead {
  ConstView query, key, value;  // each [L, E], E the width of a head
  float scale;
  Dropout dropout;  // of the probabilities; row keys start at the first row of the text
};

/// Scratch of one thread; grows only.
class AttentionScratch {
 public:
  void reserve(index_t length, index_t width, bool backward) {
    stride_ = round_up(length, tile_alignment);
    transposed_.reserve(width * stride_ + tile_alignment);
    rows_.reserve((backward ? length : most_rows) * stride_ + tile_alignment);
    if (!backward) return lanes_.reserve(most_rows * stride_ + tile_alignment), void();
    kept_.reserve(length * stride_ + tile_alignment);
    gradient_.reserve(length * stride_ + tile_alignment);
  }
  View transposed(index_t width, index_t length) { return {transposed_.data(), width, length, stride_}; }
  /// scores, then probabilities
  View rows(index_t count, index_t length) { return {rows_.data(), count, length, stride_}; }
  View lanes(index_t count, index_t length) { return {lanes_.data(), count, length, stride_}; }  ///< rows() as bf16
  /// probabilities after dropout
  View kept(index_t length) { return {kept_.data(), length, length, stride_}; }
  View gradient(index_t length) { return {gradient_.data(), length, length, stride_}; }

 private:
  static constexpr index_t tile_alignment = 2 * panel_width;
  static constexpr index_t most_rows = 32;  // of a tile, in any kind of registers
  AlignedBuffer<float> transposed_, rows_, lanes_, kept_, gradient_;
  index_t stride_ = 0;
};

namespace detail {

/// out = sum * factors[row]
struct StoreScaled {
  View out;
  const float* factors;
  Touched touches(index_t, index_t) const { return {}; }
  template <class Arch>
  auto column(index_t c) const {
    return [put = StoreWithin{out}.column<Arch>(c), f = factors](index_t r, Floats<Arch> sum)
               KNNBERT_ALWAYS_INLINE_CALL { put(r, sum * Floats<Arch>(f[r])); };
  }
};

/// One row tile of a product with a right factor whose `columns` need not fill a tile.
template <class Arch, class Dot = Fp32, class Epilogue>
void tile_row(index_t height, const LeftFactor& left, const ConstView& right, index_t depth, index_t row,
              const Epilogue& epilogue) {
  index_t c = 0;
  for (; c + lanes<Arch> < right.cols(); c += tile_columns<Arch>)
    run_tile<Arch, tile_vectors, Dot>(height, left, {right.data() + c, right.stride(), lanes<Arch>}, depth, row, c,
                                      epilogue, {right.data()});
  if (c < right.cols())
    run_tile<Arch, 1, Dot>(height, left, {right.data() + c, right.stride(), lanes<Arch>}, depth, row, c, epilogue,
                           {right.data()});
}

/// out [M, N] = left [M, K] right [K, N]
template <class Arch>
void multiply(ConstView left, ConstView right, View out) {
  for_each_row_tile<Arch>(0, left.rows(), [&](index_t row, index_t height) {
    tile_row<Arch>(height, {left.data() + row * left.stride(), left.stride(), 1}, right, left.cols(), row,
                   StoreWithin{out});
  });
}

/// out [M, N] = left^T right with left [K, M], right [K, N]
template <class Arch>
void multiply_transposed(ConstView left, ConstView right, View out) {
  for_each_row_tile<Arch>(0, left.cols(), [&](index_t row, index_t height) {
    tile_row<Arch>(height, {left.data() + row, 1, left.stride()}, right, left.rows(), row, StoreWithin{out});
  });
}

/// Probabilities of all rows and their copy after dropout.
template <class Arch>
void attention_probabilities(const AttentionHead& head, AttentionScratch& scratch) {
  const index_t length = head.query.rows();
  const View keys = scratch.transposed(head.key.cols(), length), p = scratch.rows(length, length),
             kept = scratch.kept(length);
  transpose<Arch>(head.key, keys);
  multiply<Arch>(head.query, keys, p);
  constexpr index_t block = 16;
  for (index_t first = 0; first < length; first += block) {
    const index_t count = std::min(block, length - first);
    float factors[block];
    softmax_numerators<Arch>(p.row_range(first, count), head.scale, factors);
    for (index_t r = first; r < first + count; ++r) {
      const Floats<Arch> normalize(factors[r - first]);
      for (index_t c = 0; c < length; c += lanes<Arch>) {
        const auto value = load_at<Arch>(p, r, c) * normalize;
        store_at<Arch>(p, r, c, value);
        store_at<Arch>(
            kept, r, c,
            head.dropout.active() ? value * dropout_factors<Arch>(head.dropout, head.dropout.row_keys[r], c) : value);
      }
    }
  }
}

}  // namespace detail

/// context [L, E] = dropout(softmax(Q K^T * scale)) V.  Cost: 4 L^2 E operations; scratch: L (E + tile rows) floats.
template <class Arch>
void attention(const AttentionHead& head, View context, AttentionScratch& scratch) {
  const index_t length = head.query.rows(), width = head.query.cols();
  scratch.reserve(length, width, false);
  const View keys = scratch.transposed(width, length);
  transpose<Arch>(head.key, keys);
  for_each_row_tile<Arch>(0, length, [&](index_t row, index_t height) {
    const View p = scratch.rows(height, length);
    float normalize[tile_rows<Arch>];
    detail::tile_row<Arch>(height, {head.query.data() + row * head.query.stride(), head.query.stride(), 1}, keys, width,
                           0, Store{p});
    softmax_numerators<Arch>(p, head.scale, normalize);
    if (head.dropout.active()) apply_dropout<Arch>(p, head.dropout.from_row(row), p);
    detail::tile_row<Arch>(height, {p.data(), p.stride(), 1}, head.value, length, 0,
                           detail::StoreScaled{context.row_range(row, height), normalize});
  });
}

/// Gradients of one head; probabilities are recomputed from Q and K.  d_context, d_query, d_key, d_value [L, E].
template <class Arch>
void attention_backward(const AttentionHead& head, ConstView d_context, View d_query, View d_key, View d_value,
                        AttentionScratch& scratch) {
  const index_t length = head.query.rows(), width = head.query.cols();
  scratch.reserve(length, width, true);
  detail::attention_probabilities<Arch>(head, scratch);
  const View p = scratch.rows(length, length), kept = scratch.kept(length), d_scores = scratch.gradient(length);
  const View values = scratch.transposed(width, length);
  transpose<Arch>(head.value, values);
  detail::multiply<Arch>(d_context, values, d_scores);
  detail::multiply_transposed<Arch>(kept, d_context, d_value);
  for (index_t r = 0; r < length; ++r)
    softmax_backward<Arch>(p.row(r).data(), kept.row(r).data(), d_scores.row(r).data(), length, head.scale);
  detail::multiply<Arch>(d_scores, head.key, d_query);
  detail::multiply_transposed<Arch>(d_scores, head.query, d_key);
}

struct Attention : Entry<void(const AttentionHead&, View, AttentionScratch&)> {
  template <class Arch>
  static constexpr type* function = attention<Arch>;
};
template <>
inline void attention<Dispatched>(const AttentionHead& head, View context, AttentionScratch& scratch) {
  dispatch<Attention>(head, context, scratch);
}
struct AttentionBackward : Entry<void(const AttentionHead&, ConstView, View, View, View, AttentionScratch&)> {
  template <class Arch>
  static constexpr type* function = attention_backward<Arch>;
};
template <>
inline void attention_backward<Dispatched>(const AttentionHead& head, ConstView d_context, View d_query, View d_key,
                                           View d_value, AttentionScratch& scratch) {
  dispatch<AttentionBackward>(head, d_context, d_query, d_key, d_value, scratch);
}

}  // namespace knnbert::inline v0_1::kernel
