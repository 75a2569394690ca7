#pragma once
// Backward pass of BasicBert, declared in bert.hpp.
#include "knnbert/encoder/bert.hpp"

namespace knnbert {

/// Fills d_output of the last block from the gradients at the embedding and at the last hidden states.
template <class Arch, class Precisions>
void BasicBert<Arch, Precisions>::pool_backward(const ParameterBlock& values, const BertTape& tape, const EncoderGradients& gradients,
                                    BertWorkspace& workspace, const Workers& workers) const {
  const ConstView d_embedding = gradients.d_embedding;
  const View d_output = workspace.gradients.d_output;
  workspace.gradients.d_output.fill(0);
  if (d_embedding.empty()) return;
  require_shape("BasicBert::backward: d_embedding", d_embedding, tape.batch().size(), width());
  const auto& offsets = tape.batch().offsets;
  if (tape.options_.pooling == Pooling::mean) return kernel::add_mean_rows_backward<Arch>(d_embedding, offsets, d_output);
  if (tape.options_.pooling == Pooling::cls) return add_first_rows_backward(d_embedding, offsets, d_output);
  auto& d_before = workspace.d_before_pooler;
  d_before.resize(d_embedding.rows(), width());
  const ConstView y = tape.embedding();
  for (index_t b = 0; b < y.rows(); ++b)
    for (index_t c = 0; c < width(); ++c) d_before(b, c) = d_embedding(b, c) * (1 - y(b, c) * y(b, c));
  workspace.pooler.assign<Arch>(layers_.pooler, values, workers);
  workspace.d_pooled.resize(y.rows(), width());
  linear_backward<Arch>(layers_.pooler, workspace.pooler, d_before, kernel::Store{workspace.d_pooled});
  add_first_rows_backward(workspace.d_pooled, offsets, d_output);
  if (!gradients.parameters) return;
  workers.for_each(gradient_tasks(layers_.pooler), [&](index_t task, index_t worker) {
    add_linear_gradient<Arch>(layers_.pooler, tape.first_, d_before, *gradients.parameters, task, workspace.gradient.copies[worker]);
  });
}

namespace detail {

inline void add_hidden_gradient(std::span<const ConstView> d_hidden, index_t layer, View d) {
  if (layer >= std::ssize(d_hidden) || d_hidden[layer].empty()) return;
  const ConstView extra = d_hidden[layer];
  require_shape("BasicBert::backward: d_hidden", extra, d.rows(), d.cols());
  for (index_t r = 0; r < d.rows(); ++r)
    for (index_t c = 0; c < d.cols(); ++c) d(r, c) += extra(r, c);
}

}  // namespace detail

/// Where a block that was not kept is computed once more. Its input is a copy: the tape stays as it is.
template <class Arch, class Precisions>
BlockActivations<View> BasicBert<Arch, Precisions>::recomputed(const BertTape& tape, index_t layer, BertWorkspace& workspace) const {
  if (!tape.options_.recompute) return {};
  const ConstView input = tape.hidden(layer);
  workspace.recomputed.resize(input.rows(), width(), config_.intermediate_size);
  for (Matrix* m : {&workspace.recomputed_input, &workspace.recomputed_output}) m->resize(input.rows(), width());
  copy(input, workspace.recomputed_input);
  return BertTape::activations<View>(workspace.recomputed_input, workspace.recomputed, workspace.recomputed_output);
}

template <class Arch, class Precisions>
void BasicBert<Arch, Precisions>::backward(const ParameterBlock& values, const BertTape& tape, const EncoderGradients& gradients,
                               BertWorkspace& workspace, const Workers& workers) const {
  require_fresh(values);
  if (values.precision() == Precision::int8) raise<OptionError>("BasicBert::backward: weights in int8 given, fp32 or bf16 expected");
  auto& g = workspace.gradients;
  const index_t rows = tape.batch().tokens();
  workspace.fit(workers.size());
  g.resize(rows, width(), config_.intermediate_size);
  pool_backward(values, tape, gradients, workspace, workers);
  detail::add_hidden_gradient(gradients.d_hidden, tape.layers(), g.d_output);
  const std::span<const index_t> offsets = tape.batch().offsets;
  const auto ends = chunk_ends(offsets, chunk_count(rows, workers), workspace.chunk_ends);
  const Workers alone;
  for (index_t l = tape.layers() - 1; l >= 0; --l) {
    const Block& block = layers_.blocks[l];
    const auto activations = BertTape::activations<ConstView>(tape, l, workspace.recomputed);
    const BlockDropout sites = block_dropout(tape.row_keys_, l);
    const auto again = recomputed(tape, l, workspace);
    workspace.transposes.assign<Arch, Precisions>(block, values, workers);
    workers.for_each(std::ssize(ends), [&](index_t task, index_t worker) {
      const index_t first = task ? ends[task - 1] : 0;
      const auto own = offsets.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(ends[task] - first + 1));
      if (tape.options_.recompute) block_forward<Arch, Precisions>(block, values, {own}, again, sites, std::span(workspace.blocks).subspan(static_cast<std::size_t>(worker), 1), alone);
      block_backward<Arch, Precisions>(block, values, workspace.transposes, {own}, activations, sites, g, workspace.blocks[worker]);
    });
    if (gradients.parameters) {
      add_block_gradients<Arch, Precisions>(block, activations, sites.hidden.active(), g, values.precision(), *gradients.parameters, workspace.gradient, workers);
      gradients.parameters->settle(values.table()[block.projections.weight].offset);
    }
    std::swap(g.d_output, g.d_input);
    detail::add_hidden_gradient(gradients.d_hidden, l, g.d_output);
  }
  if (!gradients.d_input.empty()) copy(g.d_output, gradients.d_input);
  if (!gradients.parameters || tape.from_input_) return;
  if (const Dropout dropout = embedding_dropout(tape.row_keys_); dropout.active()) kernel::apply_dropout<Arch>(g.d_output, dropout, g.d_output);
  add_embedding_gradients<Arch>(tables(), values, tape.batch(), tape.embedding_sums_, tape.embedding_statistics_, g.d_output, g.d_input,
                                *gradients.parameters, workers);
}

}  // namespace knnbert
