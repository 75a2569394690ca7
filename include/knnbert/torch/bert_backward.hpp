#pragma once
// Backward pass of TorchBert, declared in bert.hpp.
#include "knnbert/torch/bert.hpp"

namespace knnbert::inline v0_1 {

/// Adds the gradients of some parameters to their places among `gradients`, where that is defined, and returns the
/// gradient at
/// `input`, where that is.
inline at::Tensor TorchBert::pull(const TorchTape& tape, const at::Tensor& output, const at::Tensor& d_output,
                                  const at::Tensor& input, std::span<const index_t> numbers,
                                  const ParameterTable& table, const at::Tensor& gradients) const {
  std::vector<at::Tensor> ends;
  if (gradients.defined())
    for (const index_t n : numbers) ends.push_back(tape.leaves_[static_cast<std::size_t>(n)]);
  const std::size_t parameters = ends.size();
  if (input.defined()) ends.push_back(input);
  const auto found = torch::autograd::grad({output}, ends, {d_output}, true);
  for (std::size_t i = 0; i < parameters; ++i) detail::parameter_view(gradients, table[numbers[i]]).add_(found[i]);
  return input.defined() ? found.back() : at::Tensor();
}

inline void TorchBert::backward(const ParameterBlock& values, const TorchTape& tape, const TorchGradients& gradients,
                                TorchWorkspace&, const Workers&) const {
  const ParameterTable& table = values.table();
  const index_t layers = tape.layers();
  if (!gradients.d_embedding.empty())
    require_shape("TorchBert::backward: d_embedding", gradients.d_embedding, tape.batch().size(), width());
  for (const auto& d : gradients.d_hidden) d.require("TorchBert::backward", tape.batch(), layers, width());
  if (!gradients.d_sums.empty())
    require_shape("TorchBert::backward: d_sums", gradients.d_sums, tape.batch().tokens(), width());
  if (tape.entry_ == Entry::output && (gradients.d_sums_out || !gradients.d_sums.empty()))
    raise<OptionError>(
        "TorchBert::backward: a gradient at the sums given or asked for, but the pass was entered behind them");
  detail::guarded("TorchBert::backward", [&] {
    const c10::AutoGradMode with_graph(true);
    const at::Tensor flat = gradients.parameters
                                ? detail::on_device_to_write(gradients.parameters->block(), device_).floats()
                                : at::Tensor();
    const auto kind = type(tape.lowered_);
    const auto leaf = [&](index_t n) { return tape.leaves_[static_cast<std::size_t>(n)]; };
    const auto recomputed = [&](index_t layer) {
      detail::SeededDropout dropout(device_, tape.options_.dropout, tape.options_.first_example);
      return block(layer, leaf, tape.packed_, dropout, tape.hidden_[static_cast<std::size_t>(layer)]);
    };
    at::Tensor d;
    const auto add_hidden = [&](index_t layer) {
      for (const auto& extra : gradients.d_hidden) {
        if (extra.layer != layer) continue;
        const auto& x = tape.hidden_[static_cast<std::size_t>(layer)];
        if (!d.defined()) d = at::zeros_like(x);
        if (extra.which == HiddenRows::first)
          d = d.index_add(0, tape.packed_.first_row, extra.rows.on(device_).to(kind));
        else d = d + packed_rows(extra.rows, tape.packed_).to(kind);
      }
    };
    if (!gradients.d_embedding.empty()) {
      const std::vector<index_t> pooler = tape.options_.pooling_or_mean() == Pooling::pooler
                                              ? std::vector{layers_.pooler.weight, layers_.pooler.bias}
                                              : std::vector<index_t>();
      d = pull(tape, tape.pooled_, gradients.d_embedding.on(device_), tape.hidden_.back(), pooler, table, flat);
    }
    add_hidden(layers);
    const index_t lowest = layers_.lowest_block(table, gradients);
    for (index_t l = layers - 1; l >= lowest; --l) {
      const auto at = static_cast<std::size_t>(l);
      if (d.defined()) {
        const auto output = tape.recomputes() ? recomputed(l) : tape.outputs_[at + 1];
        const bool moves = gradients.parameters && layers_.moves(l, table, *gradients.parameters);
        d = pull(tape, output, d, tape.hidden_[at], numbers_of(layers_.blocks[at]), table, moves ? flat : at::Tensor());
      }
      if (gradients.parameters) gradients.parameters->settle(table[layers_.blocks[at].projections.weight].offset);
      add_hidden(l);
    }
    const bool moves = gradients.parameters && gradients.parameters->wants_lookup();
    if (lowest == 0) embedding_backward(tape, d, gradients, table, moves ? flat : at::Tensor());
  });
}

/// From the embedding's output to where the pass was entered. d: packed rows, undefined where nothing came down.
inline void TorchBert::embedding_backward(const TorchTape& tape, at::Tensor d, const TorchGradients& gradients,
                                          const ParameterTable& table, const at::Tensor& flat) const {
  const auto leave = [&](const at::Tensor& rows, TorchRows* to) {
    if (to) to->assign(rows.index_select(0, tape.packed_.row_of_token).to(at::kFloat));
  };
  if (!d.defined()) d = at::zeros_like(tape.hidden_.front());
  leave(d, gradients.d_output);
  if (tape.entry_ == Entry::output || !(flat.defined() || gradients.d_sums_out)) return;
  at::Tensor d_sums = pull(tape, tape.outputs_.front(), d, tape.sums_, norm_numbers(), table, flat);
  if (!gradients.d_sums.empty()) d_sums = d_sums + packed_rows(gradients.d_sums, tape.packed_);
  leave(d_sums, gradients.d_sums_out);
  if (!flat.defined() || tape.entry_ != Entry::tokens) return;
  pull(tape, tape.summed_, d_sums, {}, table_numbers(), table, flat);
  for (const token_t id : tape.batch().ids) gradients.parameters->touch(id);
}

}  // namespace knnbert::inline v0_1
