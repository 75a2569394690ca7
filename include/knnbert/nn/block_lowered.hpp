#pragma once
#include "knnbert/kernel/layer_norm_lowered.hpp"
#include "knnbert/nn/block.hpp"

/// A block whose products run in bf16 or int8, without dropout or a backward pass. Attention runs in bf16, that of long
/// texts beside products in int8 too. What a product reads is lowered where it arises, while it lies in registers or in
/// the first-level cache.
namespace knnbert::inline v0_1 {

/// Whether block_forward_lowered() can run the block and is faster than block_forward().
template <class Arch>
bool runs_lowered(const Block& block, const ParameterBlock& values, const BlockDropout& dropout) {
  return values.precision() != Precision::fp32 && kernel::native_bf16<Arch>() && !dropout.hidden.active() &&
         !dropout.probabilities.active() && block.head_width() % 2 == 0;
}

namespace detail {

/// Context of all texts, in bf16 where products run in bf16.  projections [rows of texts, lanes of 3H]; context [rows,
/// H] or [rows, lanes of H]
template <class Arch, class Products>
void attend_lowered(const Block& block, TextRange texts, ConstView projections, View context,
                    std::span<BlockScratch> scratch, const Workers& workers) {
  const index_t width = block.width() / 2, size = block.head_width() / 2;  // in lanes
  constexpr bool bf16 = Products::precision == Precision::bf16;
  const index_t step = bf16 ? size : 2 * size;
  const float scale = 1.0f / std::sqrt(static_cast<float>(block.head_width()));
  for (index_t t = 0; t < texts.count(); ++t) {
    const index_t first = texts.offsets[as_size(t)] - texts.begin(),
                  length = texts.offsets[as_size(t + 1)] - texts.offsets[as_size(t)];
    const ConstView lanes = projections.row_range(first, length);
    const ConstView values = lanes.col_range(2 * width, width);
    const auto each_head = [&](auto&& attend) {
      workers.for_each(block.heads, [&](index_t h, index_t worker) {
        attend(h, lanes.col_range(h * size, size), lanes.col_range(width + h * size, size),
               context.row_range(first, length).col_range(h * step, step), scratch[as_size(worker)].attention);
      });
    };
    if (!bf16 && length >= kernel::shortest_for_int8_attention<Arch>() &&
        kernel::AttentionHeadInt8::possible(2 * size)) {
      kernel::QuantizedValues& quantized = scratch.front().quantized_values;
      quantized.assign<Arch>(values);
      each_head([&](index_t h, ConstView query, ConstView key, View to, kernel::AttentionScratch& own) {
        kernel::attention_int8<Arch>({.query = query,
                                      .key = key,
                                      .value = quantized.quads().col_range(2 * h * size, 2 * size),
                                      .value_scales = quantized.scales() + 2 * h * size,
                                      .scale = scale},
                                     to, own);
      });
    } else {
      const ConstView paired = scratch.front().values.template assign<Arch>(values);
      each_head([&](index_t h, ConstView query, ConstView key, View to, kernel::AttentionScratch& own) {
        kernel::attention_bf16<Arch, bf16>({query, key, paired.col_range(2 * h * size, 2 * size), scale}, to, own);
      });
    }
  }
}

/// y = normalized x, also in reduced precision: rows `first` and following of `rows`, which has room for them.
template <class Arch, class Products>
void normalize_lowered(const Norm& norm, const ParameterBlock& values, ConstView x, View y, kernel::LoweredRows& rows,
                       index_t first, const Workers& workers) {
  each_slice(x.rows(), 8, workers, [&](index_t begin, index_t count) {
    kernel::layer_norm_lowered<Arch, Products>(
        x.row_range(begin, count), values.slice(norm.gain), values.slice(norm.bias), norm.epsilon,
        y.row_range(begin, count), rows.lanes().row_range(first + begin, count),
        Products::precision == Precision::int8 ? rows.meanings() + first + begin : nullptr);
  });
}

/// The activated first half of a feed-forward layer as the second one reads it.  inner [M, F]: scratch
template <class Arch, class Products>
kernel::LoweredFactor activate_lowered(const Block& block, const ParameterBlock& values, kernel::LoweredFactor x,
                                       View inner, kernel::LoweredRows& rows, const Workers& workers) {
  const float* bias = values.slice(block.intermediate.bias);
  if (block.activation != ActivationKind::gelu) {
    lowered_linear<Arch, Products>(block.intermediate, values, x, kernel::AddBias{inner, bias}, workers);
    if (block.activation == ActivationKind::relu) kernel::activate<Arch, kernel::Relu>(inner, inner);
    else kernel::activate<Arch, kernel::GeluTanh>(inner, inner);
  } else if constexpr (Products::precision == Precision::bf16) {
    const View lanes = inner.col_range(0, kernel::lanes_of<Products>(inner.cols()));
    lowered_linear<Arch, Products>(block.intermediate, values, x,
                                   kernel::ActivateLowered<kernel::CoarseGelu<Products::precision>>{lanes, bias},
                                   workers);
    return {lanes};
  } else {
    lowered_linear<Arch, Products>(block.intermediate, values, x,
                                   kernel::Activate<kernel::CoarseGelu<Products::precision>, false>{inner, {}, bias},
                                   workers);
  }
  return lower_factor<Arch, Products>(inner, rows, workers);
}

}  // namespace detail

/// Runs the block on all rows of some texts. The input is expected in reduced precision too, in the first scratch's
/// rows; the output is left there in its place.
template <class Arch, class Products>
void block_forward_lowered(const Block& block, const ParameterBlock& values, TextRange texts,
                           const BlockActivations<View>& a, std::span<BlockScratch> scratch, const Workers& workers) {
  constexpr bool bf16 = Products::precision == Precision::bf16;
  kernel::LoweredRows &rows = scratch.front().rows, &others = scratch.front().other_rows;
  const auto residual = [&](const Linear& layer, View sum, ConstView from) {
    return kernel::AddResidual<false>{sum, from, values.slice(layer.bias), {}};
  };
  const View projections = a.projections.col_range(0, kernel::lanes_of<kernel::Bf16>(block.projections.outputs));
  lowered_linear<Arch, Products>(
      block.projections, values, rows.factor(),
      kernel::ActivateLowered<kernel::Identity>{projections, values.slice(block.projections.bias)}, workers);
  const View context = a.context.col_range(0, bf16 ? kernel::lanes_of<Products>(block.width()) : block.width());
  detail::attend_lowered<Arch, Products>(block, texts, projections, context, scratch, workers);
  // From here on a row depends on no other one: a block of them stays in the second-level cache.
  for (index_t first = 0; first < texts.rows(); first += feed_forward_rows) {
    const index_t count = std::min(feed_forward_rows, texts.rows() - first);
    const View sum = a.attention_sum.row_range(0, count), middle = a.middle.row_range(0, count),
               attended = context.row_range(first, count);
    kernel::LoweredFactor left{attended};
    if constexpr (!bf16) left = lower_factor<Arch, Products>(attended, others, workers);
    lowered_linear<Arch, Products>(block.attention_output, values, left,
                                   residual(block.attention_output, sum, a.input.row_range(first, count)), workers);
    detail::normalize_lowered<Arch, Products>(block.attention_norm, values, sum, middle, rows, first, workers);
    left = detail::activate_lowered<Arch, Products>(block, values, rows.factor().row_range(first, count),
                                                    a.inner.row_range(0, count), others, workers);
    lowered_linear<Arch, Products>(block.output, values, left, residual(block.output, sum, middle), workers);
    detail::normalize_lowered<Arch, Products>(block.output_norm, values, sum, a.output.row_range(first, count), rows,
                                              first, workers);
  }
}

}  // namespace knnbert::inline v0_1
