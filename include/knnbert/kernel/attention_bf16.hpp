#pragma once
#include "knnbert/kernel/attention.hpp"
#include "knnbert/kernel/lower.hpp"

/// Attention whose products run in bf16, for passes without gradients: half the time of its products in fp32.
namespace knnbert::kernel {

/// Projections of a chunk of texts as bf16 lanes; scratch of one thread, grows only.
class AttentionLanes {
 public:
  /// Queries and keys of all heads: [T, H lanes], two neighboring columns a lane.  projections [T, 3 H]
  template <class Arch>
  void assign(ConstView projections) {
    query_key_.assign<Arch, Bf16>(projections.col_range(0, projections.cols() / 3 * 2));
  }
  /// Values of one text: [(L + 1) / 2, H], two rows a lane.
  template <class Arch>
  ConstView pair_values(ConstView values) {
    pairs_.resize((values.rows() + 1) / 2, values.cols());
    pair_rows<Arch>(values, 0, pairs_.rows(), pairs_);
    return pairs_;
  }
  ConstView query_key() const { return query_key_.lanes(); }

 private:
  LoweredRows query_key_;
  Matrix pairs_;
};

/// One head as lanes.
struct AttentionHeadLanes {
  ConstView query, key;  // [L, E / 2]
  ConstView value;       // [(L + 1) / 2, E]
  float scale;
};

namespace detail {

/// Numerators of a row of scores as bf16 lanes, zero behind the last; returns 1 / sum of the rounded ones, so that the
/// weights of a row sum up to 1.
template <class Arch>
KNNBERT_INLINE float softmax_lanes(float* s, index_t size, float scale, float* lanes_out) {
  const float normalize = softmax_numerators<Arch>(s, size, scale);
  const index_t even = round_up(size, 2);
  if (even > size) s[size] = 0.0f;
  bf16_row<Arch, Bf16::native>(s, even, lanes_out);
  return normalize;
}

}  // namespace detail

/// context [L, E] = softmax(Q K^T * scale) V.  Scratch as for attention().
template <class Arch>
void attention_bf16(const AttentionHeadLanes& head, View context, AttentionScratch& scratch) {
  const index_t length = head.query.rows(), lanes_wide = head.query.cols();
  scratch.fit(length, 2 * lanes_wide, false);
  const View keys = scratch.transposed(lanes_wide, length);
  transpose<Arch>(head.key, keys);
  for_each_row_tile<Arch>(0, length, [&](index_t row, index_t height) {
    const View p = scratch.rows(height, length), p_lanes = scratch.lanes(height, (length + 1) / 2);
    float normalize[tile_rows<Arch>];
    detail::tile_row<Arch, Bf16>(height, {head.query.data() + row * head.query.stride(), head.query.stride(), 1}, keys, lanes_wide, 0, Store{p});
    for (index_t r = 0; r < height; ++r)
      normalize[r] = detail::softmax_lanes<Arch>(p.row(r).data(), length, head.scale, p_lanes.row(r).data());
    detail::tile_row<Arch, Bf16>(height, {p_lanes.data(), p_lanes.stride(), 1}, head.value, p_lanes.cols(), 0,
                                 detail::StoreScaled{context.row_range(row, height), normalize});
  });
}

struct AttentionBf16 : Entry<void(const AttentionHeadLanes&, View, AttentionScratch&)> {
  template <class Arch>
  static constexpr type* function = attention_bf16<Arch>;
};
template <>
inline void attention_bf16<Dispatched>(const AttentionHeadLanes& head, View context, AttentionScratch& scratch) {
  dispatch<AttentionBf16>(head, context, scratch);
}

}  // namespace knnbert::kernel
