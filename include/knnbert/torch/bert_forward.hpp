#pragma once
// Forward passes of TorchBert, declared in bert.hpp.
#include "knnbert/encoder/chunks.hpp"
#include "knnbert/torch/bert.hpp"

namespace knnbert::inline v0_1 {

inline void TorchBert::lower(ParameterBlock& values, Precision precision, const Workers&) const {
  if (precision == Precision::int8) raise<OptionError>("TorchBert::lower: precision int8 given, fp32 or bf16 expected");
  to_device(values);
  if (precision == Precision::bf16) detail::on_device_to_write(values, device_).lower();
  values.start_lowering(precision);
}

inline void TorchBert::start(const ParameterBlock& values, const TorchEncoderInput& input,
                             const ForwardOptions& options, TorchTape& tape) const {
  to_device(values);
  tape = TorchTape();
  tape.batch_ = input.batch, tape.options_ = options, tape.entry_ = input.entry;
  tape.lowered_ = values.precision() == Precision::bf16;
  tape.packed_ = detail::PackedBatch(input.batch, bucket_limits(), device_, config_.first_position());
  const TorchFloats& floats = detail::on_device(values, device_);
  tape.leaves_.resize(static_cast<std::size_t>(values.table().count()));
  const auto add = [&](const std::vector<index_t>& numbers, const at::Tensor& flat) {
    for (const index_t n : numbers)
      tape.leaves_[static_cast<std::size_t>(n)] =
          detail::parameter_view(flat, values.table()[n]).detach().requires_grad_();
  };
  if (input.entry == Entry::tokens) add(table_numbers(), floats.floats());
  if (input.entry != Entry::output) add(norm_numbers(), floats.floats());
  for (const Block& b : layers_.blocks) add(numbers_of(b), tape.lowered_ ? floats.lowered() : floats.floats());
  if (options.pooling_or_mean() == Pooling::pooler) add({layers_.pooler.weight, layers_.pooler.bias}, floats.floats());
}

inline void TorchBert::forward(const ParameterBlock& values, const TorchEncoderInput& input,
                               const ForwardOptions& options, TorchTape& tape, TorchWorkspace&, const Workers&) const {
  require_fresh(values);
  require_batch("TorchBert::forward", config_, input.batch, options.pooling_or_mean());
  input.require("TorchBert::forward: rows", width(), values.precision());
  if (options.keep == Keep::nothing)
    raise<OptionError>("TorchBert::forward: Keep::nothing given, Keep::hidden or all expected: encode() keeps nothing");
  const auto pass = [&] {
    const c10::AutoGradMode with_graph(true);
    start(values, input, options, tape);
    const auto kind = type(tape.lowered_);
    const auto leaf = [&](index_t n) { return tape.leaves_[static_cast<std::size_t>(n)]; };
    detail::SeededDropout dropout(device_, options.dropout, options.first_example);
    const auto keep = [&](const at::Tensor& output) {
      tape.outputs_.push_back(output);
      tape.hidden_.push_back(output.detach().requires_grad_());
    };
    if (input.entry != Entry::output) {
      tape.summed_ = input.entry == Entry::sums ? packed_rows(input.rows, tape.packed_) : sums_of(leaf, tape.packed_);
      tape.sums_ = tape.summed_.detach().requires_grad_();
      keep(normalized(leaf, tape.sums_, dropout).to(kind));
    } else {
      keep(packed_rows(input.rows, tape.packed_).to(kind));
    }
    for (index_t l = 0; l < std::ssize(layers_.blocks); ++l) {
      const c10::AutoGradMode graph(!tape.recomputes());
      keep(block(l, leaf, tape.packed_, dropout, tape.hidden_.back()));
      if (tape.recomputes()) tape.outputs_.back() = at::Tensor();
    }
    tape.pooled_ = pool(options.pooling_or_mean(), leaf, tape.packed_, tape.hidden_.back());
    tape.embedding_.assign(tape.pooled_);
    tape.rows_.resize(tape.hidden_.size() + 1);
  };
  try {
    detail::guarded("TorchBert::forward", pass);
  } catch (...) {
    tape = TorchTape();  // gives the device its memory back
    throw;
  }
}

inline at::Tensor TorchBert::encode_pass(const TorchFloats& floats, const ParameterBlock& values,
                                         const TorchEncoderInput& input, const ForwardOptions& options,
                                         index_t first) const {
  const bool low = values.precision() == Precision::bf16;
  const detail::PackedBatch packed(input.batch, bucket_limits(), device_, config_.first_position());
  const auto view = [&](const at::Tensor& flat) {
    return [&values, &flat](index_t n) { return detail::parameter_view(flat, values.table()[n]); };
  };
  const auto master = view(floats.floats()), computed = view(low ? floats.lowered() : floats.floats());
  detail::SeededDropout dropout(device_, options.dropout, options.first_example + first);
  const auto given = [&] { return packed_rows(input.rows, packed); };
  at::Tensor x = input.entry == Entry::output
                     ? given()
                     : normalized(master, input.entry == Entry::sums ? given() : sums_of(master, packed), dropout);
  x = x.to(type(low));
  for (index_t l = 0; l < std::ssize(layers_.blocks); ++l) x = block(l, computed, packed, dropout, x);
  return pool(options.pooling_or_mean(), master, packed, x);
}

/// [B, H] on the device. Texts go through by length; rows that enter go through at once.
inline at::Tensor TorchBert::encode_all(const ParameterBlock& values, const TorchEncoderInput& input,
                                        const ForwardOptions& options) const {
  const Batch& batch = input.batch;
  require_fresh(values);
  require_batch("TorchBert::encode", config_, batch, options.pooling_or_mean());
  input.require("TorchBert::encode: rows", width(), values.precision());
  to_device(values);
  const c10::NoGradGuard no_graph;
  const TorchFloats& floats = detail::on_device(values, device_);
  if (input.entry != Entry::tokens) return encode_pass(floats, values, input, options, 0);
  std::vector<index_t> order(static_cast<std::size_t>(batch.size())), ends;
  std::iota(order.begin(), order.end(), index_t{0});
  std::stable_sort(order.begin(), order.end(), [&](index_t a, index_t b) { return batch.length(a) < batch.length(b); });
  const Batch sorted = batch.select(order);
  std::vector<at::Tensor> passes;
  index_t first = 0;
  for (const index_t last :
       chunk_ends(sorted.offsets, (sorted.tokens() + options_.tokens_a_pass - 1) / options_.tokens_a_pass, ends)) {
    const std::span<const index_t> texts(order.data() + first, static_cast<std::size_t>(last - first));
    passes.push_back(encode_pass(floats, values, batch.select(texts), options, first));
    first = last;
  }
  std::vector<std::int64_t> place_of(order.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    place_of[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(i);
  return at::cat(passes).index_select(0, detail::to_device(std::span<const std::int64_t>(place_of), device_));
}

}  // namespace knnbert::inline v0_1
