#pragma once
// Backward pass of TorchBert, declared in bert.hpp.
#include "knnbert/torch/bert.hpp"

namespace knnbert {

/// Adds the gradients of some parameters to their places among `gradients`, where that is defined, and returns the gradient at
/// `input`, where that is.
inline at::Tensor TorchBert::pull(const TorchTape& tape, const at::Tensor& output, const at::Tensor& d_output, const at::Tensor& input,
                                  std::span<const index_t> numbers, const ParameterTable& table, const at::Tensor& gradients) const {
  std::vector<at::Tensor> ends;
  if (gradients.defined())
    for (const index_t n : numbers) ends.push_back(tape.leaves_[static_cast<std::size_t>(n)]);
  const std::size_t parameters = ends.size();
  if (input.defined()) ends.push_back(input);
  const auto found = torch::autograd::grad({output}, ends, {d_output}, true);
  for (std::size_t i = 0; i < parameters; ++i) detail::parameter_view(gradients, table[numbers[i]]).add_(found[i]);
  return input.defined() ? found.back() : at::Tensor();
}

inline void TorchBert::backward(const ParameterBlock& values, const TorchTape& tape, const TorchGradients& gradients, TorchWorkspace&, const Workers&) const {
  const ParameterTable& table = values.table();
  const index_t tokens = tape.batch().tokens(), layers = tape.layers();
  if (!gradients.d_embedding.empty()) require_shape("TorchBert::backward: d_embedding", gradients.d_embedding, tape.batch().size(), width());
  for (const ConstView d : gradients.d_hidden)
    if (!d.empty()) require_shape("TorchBert::backward: d_hidden", d, tokens, width());
  if (!gradients.d_input.empty()) require_shape("TorchBert::backward: d_input", gradients.d_input, tokens, width());
  detail::guarded("TorchBert::backward", [&] {
    const c10::AutoGradMode with_graph(true);
    const at::Tensor flat = gradients.parameters ? detail::on_device_to_write(gradients.parameters->block(), device_).floats() : at::Tensor();
    const auto kind = type(tape.lowered_);
    const auto leaf = [&](index_t n) { return tape.leaves_[static_cast<std::size_t>(n)]; };
    const auto recomputed = [&](index_t layer) {
      detail::SeededDropout dropout(device_, tape.options_.dropout, tape.options_.first_example);
      return block(layer, leaf, tape.packed_, dropout, tape.hidden_[static_cast<std::size_t>(layer)]);
    };
    at::Tensor d;
    const auto add_hidden = [&](index_t layer) {
      if (layer >= std::ssize(gradients.d_hidden) || gradients.d_hidden[static_cast<std::size_t>(layer)].empty()) return;
      const auto extra = detail::to_device(gradients.d_hidden[static_cast<std::size_t>(layer)], device_).index_select(0, tape.packed_.token_of_row).to(kind);
      d = d.defined() ? d + extra : extra;
    };
    if (!gradients.d_embedding.empty()) {
      const std::vector<index_t> pooler = tape.options_.pooling == Pooling::pooler ? std::vector{layers_.pooler.weight, layers_.pooler.bias} : std::vector<index_t>();
      d = pull(tape, tape.pooled_, gradients.d_embedding.on(device_), tape.hidden_.back(), pooler, table, flat);
    }
    add_hidden(layers);
    for (index_t l = layers - 1; l >= 0; --l) {
      const auto at = static_cast<std::size_t>(l);
      if (d.defined()) {
        const auto output = tape.options_.recompute ? recomputed(l) : tape.outputs_[at + 1];
        d = pull(tape, output, d, tape.hidden_[at], numbers_of(layers_.blocks[at]), table, flat);
      }
      if (gradients.parameters) gradients.parameters->settle(table[layers_.blocks[at].projections.weight].offset);
      add_hidden(l);
    }
    if (!gradients.d_input.empty()) {
      const auto rows = d.defined() ? d.index_select(0, tape.packed_.row_of_token) : at::zeros({tokens, width()});
      detail::to_host(rows, gradients.d_input);
    }
    if (!flat.defined() || tape.from_input_ || !d.defined()) return;
    pull(tape, tape.outputs_.front(), d, {}, embedding_numbers(), table, flat);
    for (const token_t id : tape.batch().ids) gradients.parameters->touch(id);
  });
}

}  // namespace knnbert
