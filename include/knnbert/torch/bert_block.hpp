#pragma once
#include "knnbert/nn/block.hpp"
#include "knnbert/torch/dropout.hpp"
#include "knnbert/torch/packed_batch.hpp"

/// The layers of BERT on packed rows. weights(number) gives the tensor of a parameter in the type of the computation.
namespace knnbert::inline v0_1::detail {

template <class Weights>
at::Tensor torch_linear(const Linear& layer, const Weights& weights, const at::Tensor& x) {
  return at::linear(x, weights(layer.weight), weights(layer.bias));
}

template <class Weights>
at::Tensor torch_norm(const Norm& norm, const Weights& weights, const at::Tensor& x) {
  return at::layer_norm(x, {norm.width}, weights(norm.gain), weights(norm.bias), norm.epsilon);
}

inline at::Tensor torch_activation(ActivationKind kind, const at::Tensor& x) {
  switch (kind) {
    case ActivationKind::gelu: return at::gelu(x);
    case ActivationKind::gelu_tanh: return at::gelu(x, "tanh");
    case ActivationKind::relu: return at::relu(x);
  }
  raise<OptionError>("TorchBert: an unknown activation given, gelu, gelu_tanh or relu expected");
}

/// context [T, H] of projections [T, 3H].
inline at::Tensor torch_attention(const Block& block, const PackedBatch& batch, const at::Tensor& projections,
                                  double dropout) {
  const index_t heads = block.heads, width = block.head_width();
  std::vector<std::int64_t> rows;
  for (const auto& b : batch.buckets) rows.push_back(b.rows);
  const auto own_rows = at::split_with_sizes(projections, rows);  // its gradient is put together once; that of narrow()
                                                                  // is as large as the whole
  std::vector<at::Tensor> contexts;
  for (std::size_t i = 0; i < batch.buckets.size(); ++i) {
    const auto& bucket = batch.buckets[i];
    at::Tensor own = own_rows[i];
    std::optional<at::Tensor> kept;
    if (bucket.padded()) own = own.index_select(0, bucket.row_of_slot), kept = bucket.kept;
    // [texts, heads, length, width]
    const auto parts = own.view({bucket.texts, bucket.length, 3, heads, width}).permute({2, 0, 3, 1, 4}).unbind(0);
    const auto context = at::scaled_dot_product_attention(parts[0], parts[1], parts[2], kept, dropout)
                             .transpose(1, 2)
                             .reshape({bucket.texts * bucket.length, heads * width});
    contexts.push_back(bucket.padded() ? context.index_select(0, bucket.slot_of_row) : context);
  }
  return contexts.size() == 1 ? contexts.front() : at::cat(contexts);
}

/// Rates of dropout in a block.
struct BlockRates {
  float probabilities, attention_output, output;
};

/// Output [T, H] of a transformer block of rows x [T, H].
template <class Weights>
at::Tensor torch_block(const Block& block, const BlockRates& rates, const Weights& weights, const PackedBatch& batch,
                       const SeededDropout& dropout, const at::Tensor& x) {
  const auto context =
      torch_attention(block, batch, torch_linear(block.projections, weights, x), dropout.rate(rates.probabilities));
  const auto attended = dropout(torch_linear(block.attention_output, weights, context), rates.attention_output);
  const auto middle = torch_norm(block.attention_norm, weights, attended + x);
  const auto inner = torch_activation(block.activation, torch_linear(block.intermediate, weights, middle));
  return torch_norm(block.output_norm, weights,
                    dropout(torch_linear(block.output, weights, inner), rates.output) + middle);
}

}  // namespace knnbert::inline v0_1::detail
