#pragma once
// Backward pass of BasicBert, declared in bert.hpp.
#include "knnbert/encoder/bert.hpp"

namespace knnbert::inline v0_1 {

/// Fills d_output of the last block from the gradients at the embedding and at the last hidden states.
template <class Arch, class Precisions>
void BasicBert<Arch, Precisions>::pool_backward(const ParameterBlock& values, const BertTape& tape,
                                                const EncoderGradients& gradients, BertWorkspace& workspace,
                                                const Workers& workers) const {
  const ConstView d_embedding = gradients.d_embedding;
  const View d_output = workspace.gradients.d_output;
  workspace.gradients.d_output.fill(0);
  if (d_embedding.empty()) return;
  require_shape("BasicBert::backward: d_embedding", d_embedding, tape.batch().size(), width());
  const auto& offsets = tape.batch().offsets;
  if (tape.options_.pooling_or_mean() == Pooling::mean)
    return kernel::add_mean_rows_backward<Arch>(d_embedding, offsets, d_output);
  if (tape.options_.pooling_or_mean() == Pooling::cls) return add_first_rows_backward(d_embedding, offsets, d_output);
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
    add_linear_gradient<Arch>(layers_.pooler, tape.first_, d_before, *gradients.parameters, task,
                              workspace.gradient.copies[as_size(worker)]);
  });
}

namespace detail {

/// Adds what enters at a layer's hidden states.
inline void add_hidden_gradients(std::span<const HiddenGradient> d_hidden, index_t layer,
                                 std::span<const index_t> offsets, View d) {
  for (const HiddenGradient& extra : d_hidden) {
    if (extra.layer != layer) continue;
    if (extra.which == HiddenRows::first) add_first_rows_backward(extra.rows, offsets, d);
    else add_rows(extra.rows, d);
  }
}

}  // namespace detail

/// Where a block that was not kept is computed once more. Its input is a copy: the tape stays as it is.
template <class Arch, class Precisions>
BlockActivations<View> BasicBert<Arch, Precisions>::recomputed(const BertTape& tape, index_t layer,
                                                               BertWorkspace& workspace) const {
  if (!tape.recomputes()) return {};
  const ConstView input = tape.hidden(layer);
  workspace.recomputed.resize(input.rows(), width(), config_.intermediate_size);
  for (Matrix* m : {&workspace.recomputed_input, &workspace.recomputed_output}) m->resize(input.rows(), width());
  copy(input, workspace.recomputed_input);
  return BertTape::activations<View>(workspace.recomputed_input, workspace.recomputed, workspace.recomputed_output);
}

template <class Arch, class Precisions>
void BasicBert<Arch, Precisions>::backward(const ParameterBlock& values, const BertTape& tape,
                                           const EncoderGradients& gradients, BertWorkspace& workspace,
                                           const Workers& workers) const {
  require_fresh(values);
  if (values.precision() == Precision::int8)
    raise<OptionError>("BasicBert::backward: weights in int8 given, fp32 or bf16 expected");
  auto& g = workspace.gradients;
  const index_t rows = tape.batch().tokens();
  for (const HiddenGradient& d : gradients.d_hidden)
    d.require("BasicBert::backward", tape.batch(), tape.layers(), width());
  workspace.reserve(workers.size());
  g.resize(rows, width(), config_.intermediate_size);
  pool_backward(values, tape, gradients, workspace, workers);
  const std::span<const index_t> offsets = tape.batch().offsets;
  detail::add_hidden_gradients(gradients.d_hidden, tape.layers(), offsets, g.d_output);
  const auto ends = chunk_ends(offsets, chunk_count(rows, workers), workspace.chunk_ends);
  const Workers alone;
  const index_t lowest = layers_.lowest_block(values.table(), gradients);
  for (index_t l = tape.layers() - 1; l >= lowest; --l) {
    const Block& block = layers_.blocks[as_size(l)];
    const auto activations = BertTape::activations<ConstView>(tape, l, workspace.recomputed);
    const BlockDropout sites = block_dropout(tape.row_keys_, l);
    const auto again = recomputed(tape, l, workspace);
    workspace.transposes.assign<Arch, Precisions>(block, values, workers);
    workers.for_each(std::ssize(ends), [&](index_t task, index_t worker) {
      const index_t first = task ? ends[as_size(task - 1)] : 0;
      const auto own =
          offsets.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(ends[as_size(task)] - first + 1));
      if (tape.recomputes())
        block_forward<Arch, Precisions>(block, values, {own}, again, sites,
                                        std::span(workspace.blocks).subspan(static_cast<std::size_t>(worker), 1),
                                        alone);
      block_backward<Arch, Precisions>(block, values, workspace.transposes, {own}, activations, sites, g,
                                       workspace.blocks[as_size(worker)]);
    });
    if (gradients.parameters && layers_.moves(l, values.table(), *gradients.parameters)) {
      add_block_gradients<Arch, Precisions>(block, activations, sites, g, values.precision(), *gradients.parameters,
                                            workspace.gradient, workers);
      gradients.parameters->settle(values.table()[block.projections.weight].offset);
    }
    std::swap(g.d_output, g.d_input);
    detail::add_hidden_gradients(gradients.d_hidden, l, offsets, g.d_output);
  }
  if (lowest == 0) embedding_backward(values, tape, gradients, workspace, workers);
}

/// From the embedding's output, workspace.gradients.d_output, to where the pass was entered.
template <class Arch, class Precisions>
void BasicBert<Arch, Precisions>::embedding_backward(const ParameterBlock& values, const BertTape& tape,
                                                     const EncoderGradients& gradients, BertWorkspace& workspace,
                                                     const Workers& workers) const {
  Matrix &d_output = workspace.gradients.d_output, &d_sums = workspace.gradients.d_input;
  const auto leave = [](const Matrix& from, Matrix* to) {
    if (to) to->resize(from.rows(), from.cols()), copy(from, *to);
  };
  leave(d_output, gradients.d_output);
  if (tape.entry_ == Entry::output) {
    if (gradients.d_sums_out || !gradients.d_sums.empty())
      raise<OptionError>(
          "BasicBert::backward: a gradient at the sums given or asked for, but the pass was entered behind them");
    return;
  }
  const bool moves = gradients.parameters && gradients.parameters->wants_lookup();
  if (!moves && !gradients.d_sums_out) return;
  if (!gradients.d_sums.empty())
    require_shape("BasicBert::backward: d_sums", gradients.d_sums, tape.batch().tokens(), width());
  if (const Dropout dropout = embedding_dropout(tape.row_keys_); dropout.active())
    kernel::apply_dropout<Arch>(d_output, dropout, d_output);
  sums_backward<Arch>(tables(), values, tape.embedding_sums_, tape.embedding_statistics_, d_output, d_sums);
  if (!gradients.d_sums.empty()) add_rows(gradients.d_sums, d_sums);
  leave(d_sums, gradients.d_sums_out);
  if (!moves) return;
  const ConstView scattered = tape.entry_ == Entry::tokens ? ConstView(d_sums) : ConstView();
  add_embedding_gradients<Arch>(tables(), tape.batch(), tape.embedding_sums_, tape.embedding_statistics_, d_output,
                                scattered, *gradients.parameters, workers);
}

}  // namespace knnbert::inline v0_1
