#pragma once
#include "knnbert/kernel/attention.hpp"
#include "knnbert/kernel/lower.hpp"
#include "knnbert/kernel/matrix_tile.hpp"

/// Attention whose products run in bf16, for passes without gradients: half the time of its products in fp32.
namespace knnbert::inline v0_1::kernel {

/// Values of one text by pairs of rows; scratch of one thread, grows only.
class PairedValues {
 public:
  /// [(L + 1) / 2, H], two rows a lane; behind them rows of zeros that complete a matrix register.  values [L, lanes of
  /// H] in bf16
  template <class Arch>
  ConstView assign(ConstView values) {
    const index_t pairs = (values.rows() + 1) / 2;
    pairs_.resize(round_up(pairs, matrix_lanes), 2 * values.cols());
    const View real = View(pairs_).row_range(0, pairs);
    pair_lowered_rows<Arch>(values, real);
    for (index_t i = pairs; i < pairs_.rows(); ++i) std::fill_n(pairs_.row(i).data(), pairs_.cols(), 0.0f);
    return real;
  }

 private:
  Matrix pairs_;
};

/// One head as lanes.
struct AttentionHeadLanes {
  ConstView query, key;  // [L, E / 2]
  ConstView value;       // [(L + 1) / 2, E], see PairedValues
  float scale;
};

namespace detail {

/// Numerators of rows of scores as bf16 lanes, zeros to the end of the last vector; normalize [rows] becomes 1 / their
/// sum before rounding. The largest scores of all rows come first: a row's own would be waited for (a sixth of the
/// time).
template <class Arch>
KNNBERT_ALWAYS_INLINE void softmax_lanes(ConstView scores, float scale, View lanes, float* normalize) {
  for (index_t r = 0; r < scores.rows(); ++r) normalize[r] = largest_of<Arch>(scores.row(r).data(), scores.cols());
  for (index_t r = 0; r < scores.rows(); ++r)
    normalize[r] = softmax_numerators<Arch>(
        scores.row(r).data(), scores.cols(), scale, normalize[r],
        [](Floats<Arch> x) { return coarse_exp2_of_negative<Arch>(x); },
        [to = lanes.row(r).data()](index_t j, Floats<Arch> p) { store_bf16<Arch>(to + j / 2, p); });
}

/// out = bf16(sum * factors[row]), never past the last column of out: lanes of a head between others
struct StoreScaledLowered {
  View out;
  const float* factors;
  Touched touches(index_t, index_t) const { return {}; }
  template <class Arch>
  auto column(index_t c) const {
    return [o = out, f = factors, c](index_t r, Floats<Arch> sum) KNNBERT_ALWAYS_INLINE_CALL {
      float* to = o.data() + r * o.stride() + c / 2;
      const Floats<Arch> v = sum * Floats<Arch>(f[r]);
      const index_t rest = 2 * o.cols() - c;
      if (rest >= lanes<Arch>) return store_bf16<Arch>(to, v);
      if (rest <= 0) return;
      alignas(64) float all[lanes<Arch>];
      store<Arch>(all, v);
      bf16_row<Arch, Bf16::native>(all, rest, to);
    };
  }
};
template <bool Lowered>
using StoreContext = std::conditional_t<Lowered, StoreScaledLowered, StoreScaled>;

#if defined(__AMX_TILE__)
/// By matrix registers: heads of 32 columns or a multiple, blocks of up to 32 queries.
template <class Arch, bool Lowered>
void attention_in_matrices(const AttentionHeadLanes& head, View context, View keys, AttentionScratch& scratch) {
  const index_t length = head.query.rows(), depth = head.query.cols(),
                pairs = round_up(head.value.rows(), matrix_lanes);
  const MatrixRows rows(0, length);
  const MatrixRegisters registers(rows.upper, rows.lower());
  float normalize[2 * matrix_lanes];
  const auto product = [&](LeftFactor left, ConstView right, index_t lanes_deep, index_t skipped,
                           const auto& epilogue) {
    LateEpilogue<Arch, std::decay_t<decltype(epilogue)>> late(epilogue);
    for (index_t c = 0; c < right.cols(); c += 2 * panel_width) {
      const index_t width = right.cols() - c > panel_width ? 2 * panel_width : panel_width;
      const RightFactor columns{right.data() + c, right.stride(), panel_width};
      with_matrix_block<Bf16>(rows.lower() > 0, width > panel_width, [&](auto block) {
        late.run(block, rows, 0, skipped, c, width, lanes_deep / matrix_lanes,
                 [&](auto b, auto&& between) { b.add(left, rows.upper, columns, lanes_deep, between); });
      });
    }
  };
  rows.for_each([&](index_t row, index_t skipped) {
    const View p = scratch.rows(rows.height, length), p_lanes = scratch.lanes(rows.height, pairs);
    product({head.query.data() + row * head.query.stride(), head.query.stride(), 1}, keys, depth, 0, Store{p});
    softmax_lanes<Arch>(p, head.scale, p_lanes, normalize);
    for (index_t r = 0; r < rows.height; ++r)
      std::fill_n(p_lanes.row(r).data() + head.value.rows(), pairs - head.value.rows(), 0.0f);
    product({p_lanes.data(), p_lanes.stride(), 1}, head.value, pairs, skipped,
            StoreContext<Lowered>{context.row_range(row, rows.height), normalize});
  });
}
#endif

template <class Arch, bool Lowered>
void attention_bf16(const AttentionHeadLanes& head, View context, AttentionScratch& scratch) {
  const index_t length = head.query.rows(), lanes_wide = head.query.cols();
  scratch.reserve(length, 2 * lanes_wide, false);
  const View keys = scratch.transposed(lanes_wide, length);
  transpose<Arch>(head.key, keys);
#if defined(__AMX_TILE__)
  if (Bf16::matrix && lanes_wide % matrix_lanes == 0 && matrix_registers_permitted())
    return attention_in_matrices<Arch, Lowered>(head, context, keys, scratch);
#endif
  for_each_row_tile<Arch>(0, length, [&](index_t row, index_t height) {
    const View p = scratch.rows(height, length), p_lanes = scratch.lanes(height, (length + 1) / 2);
    float normalize[tile_rows<Arch>];
    tile_row<Arch, Bf16>(height, {head.query.data() + row * head.query.stride(), head.query.stride(), 1}, keys,
                         lanes_wide, 0, Store{p});
    softmax_lanes<Arch>(p, head.scale, p_lanes, normalize);
    tile_row<Arch, Bf16>(height, {p_lanes.data(), p_lanes.stride(), 1}, head.value, p_lanes.cols(), 0,
                         StoreContext<Lowered>{context.row_range(row, height), normalize});
  });
}

}  // namespace detail

template <bool Lowered>
struct AttentionBf16;

/// context = softmax(Q K^T * scale) V, [L, E] or, Lowered, [L, E / 2] lanes of bf16.  Scratch as for attention().
template <class Arch, bool Lowered = false>
void attention_bf16(const AttentionHeadLanes& head, View context, AttentionScratch& scratch) {
  if constexpr (std::is_same_v<Arch, Dispatched>) return dispatch<AttentionBf16<Lowered>>(head, context, scratch);
  else detail::attention_bf16<Arch, Lowered>(head, context, scratch);
}
template <bool Lowered>
struct AttentionBf16 : Entry<void(const AttentionHeadLanes&, View, AttentionScratch&)> {
  template <class Arch>
  static constexpr auto* function = &attention_bf16<Arch, Lowered>;
};

}  // namespace knnbert::inline v0_1::kernel
