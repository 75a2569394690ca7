#pragma once
#include <array>

#include "knnbert/nn/block.hpp"

namespace knnbert::inline v0_1 {

/// Gradients at the inner points of a block, for all rows of the batch; one object serves all blocks in turn.
struct BlockGradients {
  Matrix d_output;                        // [T, H] at the block's output, given
  Matrix d_output_sum, d_output_dropped;  // [T, H] before the second normalization; the same after the dropout mask
  Matrix d_before;                        // [T, F] at the pre-activation
  Matrix d_middle;                        // [T, H] after the first normalization
  Matrix d_attention_sum, d_attention_dropped;  // [T, H]
  Matrix d_context, d_projections;              // [T, H], [T, 3H]
  Matrix d_input;                               // [T, H] the result

  void resize(index_t rows, index_t width, index_t inner) {
    for (Matrix* m : {&d_output, &d_output_sum, &d_output_dropped, &d_middle, &d_attention_sum, &d_attention_dropped,
                      &d_context, &d_input})
      m->resize(rows, width);
    d_before.resize(rows, inner);
    d_projections.resize(rows, 3 * width);
  }
};

/// Transposed weights of one block.
struct BlockTransposes {
  TransposedWeight projections, attention_output, intermediate, output;

  template <class Arch, class Precisions>
  void assign(const Block& block, const ParameterBlock& values, const Workers& workers) {
    const Precision precision = values.precision();
    projections.assign<Arch, Precisions>(block.projections, values, workers, precision);
    attention_output.assign<Arch, Precisions>(block.attention_output, values, workers, precision);
    intermediate.assign<Arch, Precisions>(block.intermediate, values, workers, precision);
    output.assign<Arch, Precisions>(block.output, values, workers, precision);
  }
};

namespace detail {

/// d_inner * activation'(before), d_inner = d W of the output layer.
template <class Arch, class Precisions>
void activation_backward(const Block& block, const TransposedWeight& transposed, ConstView d, ConstView before,
                         View d_before, kernel::LoweredRows& rows) {
  if (block.activation == ActivationKind::gelu)
    return linear_backward<Arch, Precisions>(block.output, transposed, d,
                                             kernel::ActivateBackward<kernel::Gelu>{d_before, before}, rows);
  linear_backward<Arch, Precisions>(block.output, transposed, d, kernel::Store{d_before}, rows);
  if (block.activation == ActivationKind::relu)
    return kernel::activate_backward<Arch, kernel::Relu>(d_before, before, d_before);
  kernel::activate_backward<Arch, kernel::GeluTanh>(d_before, before, d_before);
}

/// The gradient behind a dropout layer: a masked copy, or the gradient itself where nothing was dropped.
template <class Arch>
ConstView behind_dropout(ConstView d, const Dropout& dropout, View copy) {
  if (!dropout.active()) return d;
  kernel::apply_dropout<Arch>(d, dropout, copy);
  return copy;
}

}  // namespace detail

/// First phase, for some texts: gradients at every inner point of the block and at its input; g.d_output is given.
template <class Arch, class Precisions>
void block_backward(const Block& block, const ParameterBlock& values, const BlockTransposes& transposes,
                    TextRange texts, const BlockActivations<ConstView>& a, const BlockDropout& dropout,
                    BlockGradients& g, BlockScratch& scratch) {
  const index_t begin = texts.begin(), rows = texts.rows();
  const auto part = [&](auto&& matrix) { return View(matrix).row_range(begin, rows); };
  const auto read = [&](ConstView view) { return view.row_range(begin, rows); };
  kernel::layer_norm_backward<Arch>(read(a.output_sum), read(a.output_statistics), values.slice(block.output_norm.gain),
                                    part(g.d_output), part(g.d_output_sum));
  const ConstView d_output =
      detail::behind_dropout<Arch>(part(g.d_output_sum), dropout.output().from_row(begin), part(g.d_output_dropped));
  detail::activation_backward<Arch, Precisions>(block, transposes.output, d_output, read(a.before), part(g.d_before),
                                                scratch.rows);
  linear_backward<Arch, Precisions>(block.intermediate, transposes.intermediate, part(g.d_before),
                                    kernel::StoreSum{part(g.d_middle), part(g.d_output_sum)}, scratch.rows);
  kernel::layer_norm_backward<Arch>(read(a.attention_sum), read(a.attention_statistics),
                                    values.slice(block.attention_norm.gain), part(g.d_middle), part(g.d_attention_sum));
  const ConstView d_attention = detail::behind_dropout<Arch>(
      part(g.d_attention_sum), dropout.attention_output().from_row(begin), part(g.d_attention_dropped));
  linear_backward<Arch, Precisions>(block.attention_output, transposes.attention_output, d_attention,
                                    kernel::Store{part(g.d_context)}, scratch.rows);
  const index_t width = block.width(), size = block.head_width();
  for (index_t t = 0; t < texts.count(); ++t)
    for (index_t h = 0; h < block.heads; ++h) {
      const index_t first = texts.offsets[as_size(t)], last = texts.offsets[as_size(t + 1)];
      const View d = View(g.d_projections).row_range(first, last - first);
      const auto column = [&](index_t i) { return d.col_range(i * width + h * size, size); };
      kernel::attention_backward<Arch>(detail::attention_head(block, a.projections, h, first, last, dropout),
                                       View(g.d_context).row_range(first, last - first).col_range(h * size, size),
                                       column(0), column(1), column(2), scratch.attention);
    }
  linear_backward<Arch, Precisions>(block.projections, transposes.projections, part(g.d_projections),
                                    kernel::StoreSum{part(g.d_input), part(g.d_attention_sum)}, scratch.rows);
}

/// Scratch of the second phase: a copy of columns for each worker, and factors in pairs of rows where products run in
/// bf16.
struct GradientScratch {
  std::vector<AlignedBuffer<float>> copies;
  PairedFactors paired[4];
};

/// Second phase, all rows: adds the gradients of the block's parameters. Tasks own output columns and sum over rows in
/// order.
template <class Arch, class Precisions>
void add_block_gradients(const Block& block, const BlockActivations<ConstView>& a, const BlockDropout& dropout,
                         const BlockGradients& g, Precision precision, Gradients& gradients, GradientScratch& scratch,
                         const Workers& workers) {
  const struct {
    const Linear& layer;
    ConstView x, d;
  } layers[] = {
      {block.output, a.inner, dropout.output().active() ? g.d_output_dropped : g.d_output_sum},
      {block.intermediate, a.middle, g.d_before},
      {block.attention_output, a.context,
       dropout.attention_output().active() ? g.d_attention_dropped : g.d_attention_sum},
      {block.projections, a.input, g.d_projections},
  };
  const struct {
    const Norm& norm;
    ConstView x, statistics, d;
  } norms[] = {
      {block.output_norm, a.output_sum, a.output_statistics, g.d_output},
      {block.attention_norm, a.attention_sum, a.attention_statistics, g.d_middle},
  };
  std::array<index_t, 4> ends;  // of the tasks of each layer
  for (std::size_t i = 0; i < ends.size(); ++i) ends[i] = (i ? ends[i - 1] : 0) + gradient_tasks(layers[i].layer);
  Precisions::with(precision, [&](auto dot) {
    using Products = decltype(dot);
    if constexpr (Products::precision == Precision::bf16)
      for (int i = 0; i < 4; ++i) scratch.paired[i].template assign<Arch>(layers[i].x, layers[i].d, workers);
    workers.for_each(ends.back() + std::ssize(norms), [&](index_t task, index_t worker) {
      if (task >= ends.back()) {
        const auto& n = norms[task - ends.back()];
        return kernel::add_layer_norm_gradient<Arch>(n.x, n.statistics, n.d, gradients.slice(n.norm.gain),
                                                     gradients.slice(n.norm.bias), 0, n.norm.width);
      }
      const auto which = std::upper_bound(ends.begin(), ends.end(), task) - ends.begin();
      add_linear_gradient<Arch, Products>(layers[which].layer, layers[which].x, layers[which].d, gradients,
                                          which ? task - ends[as_size(which - 1)] : task,
                                          scratch.copies[as_size(worker)], &scratch.paired[which]);
    });
  });
}

}  // namespace knnbert::inline v0_1
