#pragma once
#include <span>

#include "knnbert/kernel/attention_bf16.hpp"
#include "knnbert/kernel/attention_int8.hpp"
#include "knnbert/kernel/layer_norm.hpp"
#include "knnbert/nn/linear.hpp"

namespace knnbert::inline v0_1 {

enum class ActivationKind { gelu, gelu_tanh, relu };

/// Parameters of one transformer block with post-normalization.  Vaswani et al. 2017, Devlin et al. 2019.
struct Block {
  Linear projections;  // query, key and value as one product: [3H, H]
  Linear attention_output, intermediate, output;
  Norm attention_norm, output_norm;
  index_t heads = 1;
  ActivationKind activation = ActivationKind::gelu;

  index_t width() const { return attention_output.outputs; }
  index_t head_width() const { return width() / heads; }
};

/// What a block computes, row by row of the batch. With `before` empty nothing is kept for a backward pass and `inner`
/// may have fewer rows than the others: its rows are then used again and again.
template <class V>
struct BlockActivations {
  V input;                          // [T, H]
  V projections;                    // [T, 3H]
  V context, attention_sum;         // [T, H] before the first normalization
  V attention_statistics;           // [T, 2]
  V middle;                         // [T, H] after the first normalization
  V before, inner;                  // [T, F] around the activation
  V output_sum, output_statistics;  // [T, H], [T, 2]
  V output;                         // [T, H]
};

/// Texts [first, last) of a batch, whose rows are consecutive.
struct TextRange {
  std::span<const index_t> offsets;  // of these texts and the end of the last one, as rows of the activations
  index_t begin() const { return offsets.front(); }
  index_t rows() const { return offsets.back() - offsets.front(); }
  index_t count() const { return std::ssize(offsets) - 1; }
};

/// Dropout sites of a block; each layer owns `stride` consecutive site numbers.
struct BlockDropout {
  Dropout hidden, probabilities;
  std::uint64_t first_site = 0;
  bool behind_attention = true;  // whether the attention's output layer has one
  Dropout attention_output() const { return behind_attention ? hidden.at_site(first_site) : Dropout{}; }
  Dropout output() const { return hidden.at_site(first_site + 1); }
  Dropout head(index_t head) const { return probabilities.at_site(first_site + 2 + static_cast<std::uint64_t>(head)); }
};

/// Rows of inner that a block without a backward pass needs.
inline constexpr index_t feed_forward_rows = 112;

/// Scratch of one thread running blocks; grows only.
struct BlockScratch {
  kernel::AttentionScratch attention;
  kernel::LoweredRows rows, other_rows;  // see block_lowered.hpp
  kernel::PairedValues values;
  kernel::QuantizedValues quantized_values;
};

namespace detail {

inline kernel::AttentionHead attention_head(const Block& block, ConstView projections, index_t head, index_t begin,
                                            index_t end, const BlockDropout& dropout) {
  const index_t width = block.width(), size = block.head_width();
  const ConstView rows = projections.row_range(begin, end - begin);
  const auto part = [&](index_t i) { return rows.col_range(i * width + head * size, size); };
  return {.query = part(0),
          .key = part(1),
          .value = part(2),
          .scale = 1.0f / std::sqrt(static_cast<float>(size)),
          .dropout = dropout.head(head).from_row(begin)};
}

/// out = dropout(x W^T + b) + residual
template <class Arch, class Precisions>
void linear_with_residual(const Linear& layer, const ParameterBlock& values, ConstView x, ConstView residual,
                          const Dropout& dropout, View out, kernel::LoweredRows& rows, const Workers& workers) {
  const float* bias = values.slice(layer.bias);
  if (dropout.active())
    return linear<Arch, Precisions>(layer, values, x, kernel::AddResidual<true>{out, residual, bias, dropout}, rows,
                                    workers);
  linear<Arch, Precisions>(layer, values, x, kernel::AddResidual<false>{out, residual, bias, dropout}, rows, workers);
}

/// The first half of the feed-forward layer; only the usual activation is fused into the product.
template <class Arch, class Precisions>
void activate_linear(const Block& block, const ParameterBlock& values, ConstView x, View before, View inner,
                     kernel::LoweredRows& rows, const Workers& workers) {
  const float* bias = values.slice(block.intermediate.bias);
  if (block.activation == ActivationKind::gelu) {
    if (before.empty())
      return linear<Arch, Precisions>(block.intermediate, values, x,
                                      kernel::Activate<kernel::Gelu, false>{inner, before, bias}, rows, workers);
    return linear<Arch, Precisions>(block.intermediate, values, x,
                                    kernel::Activate<kernel::Gelu, true>{inner, before, bias}, rows, workers);
  }
  const View sum = before.empty() ? inner : before;
  linear<Arch, Precisions>(block.intermediate, values, x, kernel::AddBias{sum, bias}, rows, workers);
  if (block.activation == ActivationKind::relu) return kernel::activate<Arch, kernel::Relu>(sum, inner);
  kernel::activate<Arch, kernel::GeluTanh>(sum, inner);
}

/// y = normalized x; workers divide the rows.
template <class Arch>
void normalize(const Norm& norm, const ParameterBlock& values, View x, View y, View statistics,
               const Workers& workers) {
  each_slice(x.rows(), 8, workers, [&](index_t first, index_t count) {
    kernel::layer_norm<Arch>(x.row_range(first, count), values.slice(norm.gain), values.slice(norm.bias), norm.epsilon,
                             y.row_range(first, count), statistics.row_range(first, count));
  });
}

/// Feed-forward layer, by blocks of rows whose wide intermediate stays in the second-level cache.
template <class Arch, class Precisions>
void feed_forward(const Block& block, const ParameterBlock& values, const BlockActivations<View>& a, index_t begin,
                  index_t rows, const BlockDropout& dropout, kernel::LoweredRows& lowered, const Workers& workers) {
  constexpr index_t most = feed_forward_rows;
  const bool keep = !a.before.empty();
  for (index_t first = begin; first < begin + rows; first += most) {
    const index_t count = std::min(most, begin + rows - first);
    const View inner = a.inner.row_range(keep ? first : 0, count),
               before = keep ? a.before.row_range(first, count) : View();
    const View sum = a.output_sum.row_range(first, count), middle = a.middle.row_range(first, count);
    activate_linear<Arch, Precisions>(block, values, middle, before, inner, lowered, workers);
    linear_with_residual<Arch, Precisions>(block.output, values, inner, middle, dropout.output().from_row(first), sum,
                                           lowered, workers);
    normalize<Arch>(block.output_norm, values, sum, a.output.row_range(first, count),
                    a.output_statistics.row_range(first, count), workers);
  }
}

/// context of all heads of all texts; workers divide them
template <class Arch>
void attend(const Block& block, TextRange texts, const BlockActivations<View>& a, const BlockDropout& dropout,
            std::span<BlockScratch> scratch, const Workers& workers) {
  const index_t size = block.head_width();
  workers.for_each(texts.count() * block.heads, [&](index_t task, index_t worker) {
    const index_t t = task / block.heads, h = task % block.heads, first = texts.offsets[as_size(t)],
                  last = texts.offsets[as_size(t + 1)];
    kernel::attention<Arch>(attention_head(block, a.projections, h, first, last, dropout),
                            a.context.row_range(first, last - first).col_range(h * size, size),
                            scratch[as_size(worker)].attention);
  });
}

}  // namespace detail

/// Runs the block on some texts; a.input holds their rows, a.output receives the result. One scratch a worker. The bits
/// do not depend on how many workers there are.
template <class Arch, class Precisions>
void block_forward(const Block& block, const ParameterBlock& values, TextRange texts, const BlockActivations<View>& a,
                   const BlockDropout& dropout, std::span<BlockScratch> scratch, const Workers& workers) {
  const index_t begin = texts.begin(), rows = texts.rows();
  kernel::LoweredRows& lowered = scratch.front().rows;
  const auto part = [&](View view) { return view.row_range(begin, rows); };
  const float* bias = values.slice(block.projections.bias);
  linear<Arch, Precisions>(block.projections, values, part(a.input), kernel::AddBias{part(a.projections), bias},
                           lowered, workers);
  detail::attend<Arch>(block, texts, a, dropout, scratch, workers);
  detail::linear_with_residual<Arch, Precisions>(block.attention_output, values, part(a.context), part(a.input),
                                                 dropout.attention_output().from_row(begin), part(a.attention_sum),
                                                 lowered, workers);
  detail::normalize<Arch>(block.attention_norm, values, part(a.attention_sum), part(a.middle),
                          part(a.attention_statistics), workers);
  detail::feed_forward<Arch, Precisions>(block, values, a, begin, rows, dropout, lowered, workers);
}

}  // namespace knnbert::inline v0_1
