#pragma once
// Forward passes of BasicBert, declared in bert.hpp.
#include "knnbert/encoder/bert.hpp"

namespace knnbert::inline v0_1 {

template <class Arch, class Precisions>
void BasicBert<Arch, Precisions>::lower_one(const ParameterBlock& values, const Linear& layer, Precision precision,
                                            LoweredWeight& to, const Workers& workers) const {
  require_precision(precision);
  Precisions::with(precision, [&](auto dot) {
    if constexpr (decltype(dot)::precision != Precision::fp32)
      lower_weight<Arch, decltype(dot)>(values.slice(layer.weight), layer.outputs, layer.inputs, to, workers);
  });
}

template <class Arch, class Precisions>
void BasicBert<Arch, Precisions>::lower(ParameterBlock& values, Precision precision, const Workers& workers) const {
  require_precision(precision);
  auto& lowered = values.start_lowering(precision);
  if (precision == Precision::fp32) return;
  for (const Linear& layer : layers_.lowered())
    lower_one(std::as_const(values), layer, precision, lowered[static_cast<std::size_t>(layer.weight)], workers);
}

template <class Arch, class Precisions>
void BasicBert<Arch, Precisions>::require_fresh(const ParameterBlock& values) const {
  if (!values.fresh())
    raise<OptionError>(
        "BasicBert: parameters that changed after their weights were lowered to {} given, lower() expected",
        name_of(values.precision()));
  if (!Precisions::include(values.precision()))
    raise<OptionError>("BasicBert: weights in {} given, but this encoder is not compiled for it",
                       name_of(values.precision()));
}

template <class Arch, class Precisions>
void BasicBert<Arch, Precisions>::start(const ParameterBlock& values, const EncoderInput& input,
                                        const ForwardOptions& options, BertTape& tape) const {
  require_fresh(values);
  require_batch("BasicBert::forward", config_, input.batch, options.pooling_or_mean());
  input.require("BasicBert::forward: rows", width(), values.precision());
  if (options.keep == Keep::nothing)
    raise<OptionError>("BasicBert::forward: Keep::nothing given, Keep::hidden or all expected: encode() keeps nothing");
  if (&input.batch != &tape.batch_) tape.batch_ = input.batch;
  tape.options_ = options;
  tape.entry_ = input.entry;
  tape.resize(config_, input.batch.size(), input.batch.tokens());
  assign_row_keys(input.batch, options, 0, tape.row_keys_);
}

template <class Arch, class Precisions>
void BasicBert<Arch, Precisions>::assign_row_keys(const Batch& batch, const ForwardOptions& options, index_t first,
                                                  std::vector<std::uint64_t>& keys) const {
  keys.clear();
  if (!options.dropout) return;
  for (index_t text = 0; text < batch.size(); ++text) {
    const Rng example = options.dropout->fork(static_cast<std::uint64_t>(options.first_example + first + text));
    for (index_t t = 0; t < batch.length(text); ++t) keys.push_back(example.bits(static_cast<std::uint64_t>(t)));
  }
}

template <class Arch, class Precisions>
void BasicBert<Arch, Precisions>::pool(const ParameterBlock& values, Pooling pooling, ConstView hidden,
                                       std::span<const index_t> offsets, View first, View embedding) const {
  if (pooling == Pooling::mean) return kernel::mean_rows<Arch>(hidden, offsets, embedding);
  if (pooling == Pooling::cls) return first_rows(hidden, offsets, embedding);
  first_rows(hidden, offsets, first);
  linear<Arch>(layers_.pooler, values, first, embedding);
  kernel::activate<Arch, kernel::Tanh>(embedding, embedding);
}

/// f(first text, last text, worker, its scratch, its team) for every chunk: chunks to workers, or all workers to one
/// chunk.
template <class Arch, class Precisions>
template <class F>
void BasicBert<Arch, Precisions>::each_chunk(std::span<const index_t> ends, BertWorkspace& workspace,
                                             const Workers& workers, F&& f) const {
  if (ends.size() == 1) return f(index_t{0}, ends.front(), index_t{0}, std::span(workspace.blocks), workers);
  const Workers alone;
  workers.for_each(std::ssize(ends), [&](index_t task, index_t worker) {
    f(task ? ends[as_size(task - 1)] : 0, ends[as_size(task)], worker,
      std::span(workspace.blocks).subspan(static_cast<std::size_t>(worker), 1), alone);
  });
}

template <class Arch, class Precisions>
void BasicBert<Arch, Precisions>::embed(const ParameterBlock& values, const EncoderInput& input, index_t first,
                                        index_t last, const std::vector<std::uint64_t>& row_keys, View sums,
                                        View statistics, View output) const {
  const index_t begin = input.batch.offsets[as_size(first)], count = input.batch.offsets[as_size(last)] - begin;
  if (input.entry == Entry::output) return copy(input.rows.row_range(begin, count), output.row_range(begin, count));
  if (input.entry == Entry::sums) copy(input.rows.row_range(begin, count), sums.row_range(begin, count));
  else add_up_tokens(tables(), values, input.batch, first, last, sums);
  normalize_sums<Arch>(tables(), values, begin, count, embedding_dropout(row_keys), sums, statistics, output);
}

template <class Arch, class Precisions>
void BasicBert<Arch, Precisions>::forward(const ParameterBlock& values, const EncoderInput& input,
                                          const ForwardOptions& options, BertTape& tape, BertWorkspace& workspace,
                                          const Workers& workers) const {
  start(values, input, options, tape);
  workspace.reserve(workers.size());
  const std::span<const index_t> offsets = tape.batch_.offsets;
  const auto ends = chunk_ends(offsets, chunk_count(tape.batch_.tokens(), workers), workspace.chunk_ends);
  if (tape.recomputes()) workspace.recomputed.resize(tape.batch_.tokens(), width(), config_.intermediate_size);
  each_chunk(
      ends, workspace, workers,
      [&](index_t first, index_t last, index_t, std::span<BlockScratch> scratch, const Workers& team) {
        const auto own = offsets.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first + 1));
        embed(values, input, first, last, tape.row_keys_, tape.embedding_sums_, tape.embedding_statistics_,
              tape.hidden_.front());
        for (index_t l = 0; l < tape.layers(); ++l)
          block_forward<Arch, Precisions>(layers_.blocks[as_size(l)], values, {own},
                                          BertTape::activations<View>(tape, l, workspace.recomputed),
                                          block_dropout(tape.row_keys_, l), scratch, team);
        const index_t begin = own.front();
        pool(values, options.pooling_or_mean(), ConstView(tape.hidden_.back()).row_range(begin, own.back() - begin),
             own, View(tape.first_).row_range(first, last - first),
             View(tape.embedding_).row_range(first, last - first));
      });
}

template <class Arch, class Precisions>
void BasicBert<Arch, Precisions>::encode_chunk(const ParameterBlock& values, const EncoderInput& input,
                                               const ForwardOptions& options, index_t first,
                                               BertWorkspace::Chunk& chunk, std::span<BlockScratch> scratch,
                                               const Workers& workers, View embedding) const {
  assign_row_keys(chunk.batch, options, first, chunk.row_keys);
  const index_t rows = chunk.batch.tokens(), width = config_.hidden_size;
  for (Matrix* m : {&chunk.hidden, &chunk.context, &chunk.sum, &chunk.middle}) m->resize(rows, width);
  chunk.projections.resize(rows, 3 * width);
  chunk.statistics.resize(rows, 2);
  chunk.inner.resize(feed_forward_rows, config_.intermediate_size);
  for (Matrix* m : {&chunk.first, &chunk.pooled}) m->resize(chunk.batch.size(), width);
  const auto own_rows =
      input.entry == Entry::tokens ? ConstView() : input.rows.row_range(input.batch.offsets[as_size(first)], rows);
  embed(values, {chunk.batch, input.entry, own_rows}, 0, chunk.batch.size(), chunk.row_keys, chunk.sum,
        chunk.statistics, chunk.hidden);
  const BlockActivations<View> a{.input = chunk.hidden,
                                 .projections = chunk.projections,
                                 .context = chunk.context,
                                 .attention_sum = chunk.sum,
                                 .attention_statistics = chunk.statistics,
                                 .middle = chunk.middle,
                                 .before = View(),
                                 .inner = chunk.inner,
                                 .output_sum = chunk.sum,
                                 .output_statistics = chunk.statistics,
                                 .output = chunk.hidden};
  if (runs_lowered<Arch>(layers_.blocks.front(), values, block_dropout(chunk.row_keys, 0)))
    Precisions::with(values.precision(), [&](auto dot) {
      if constexpr (decltype(dot)::precision != Precision::fp32) {
        lower_factor<Arch, decltype(dot)>(chunk.hidden, scratch.front().rows, workers);
        for (const Block& block : layers_.blocks)
          block_forward_lowered<Arch, decltype(dot)>(block, values, {chunk.batch.offsets}, a, scratch, workers);
      }
    });
  else
    for (index_t l = 0; l < std::ssize(layers_.blocks); ++l)
      block_forward<Arch, Precisions>(layers_.blocks[as_size(l)], values, {chunk.batch.offsets}, a,
                                      block_dropout(chunk.row_keys, l), scratch, workers);
  pool(values, options.pooling_or_mean(), chunk.hidden, chunk.batch.offsets, chunk.first, chunk.pooled);
  copy(chunk.pooled, embedding);  // pooling writes whole vectors, and the caller's rows may have no room for them
}

template <class Arch, class Precisions>
void BasicBert<Arch, Precisions>::encode(const ParameterBlock& values, const EncoderInput& input,
                                         const ForwardOptions& options, View embedding, BertWorkspace& workspace,
                                         const Workers& workers) const {
  const Batch& batch = input.batch;
  require_fresh(values);
  require_batch("BasicBert::encode", config_, batch, options.pooling_or_mean());
  input.require("BasicBert::encode: rows", width(), values.precision());
  require_shape("BasicBert::encode: embedding", embedding, batch.size(), width());
  workspace.reserve(workers.size());
  const auto ends = chunk_ends(batch.offsets, chunk_count(batch.tokens(), workers), workspace.chunk_ends);
  each_chunk(ends, workspace, workers,
             [&](index_t first, index_t last, index_t worker, std::span<BlockScratch> scratch, const Workers& team) {
               auto& chunk = workspace.chunks[as_size(worker)];
               chunk.batch.clear();
               for (index_t text = first; text < last; ++text) chunk.batch.append(batch, text);
               encode_chunk(values, input, options, first, chunk, scratch, team,
                            embedding.row_range(first, last - first));
             });
}

}  // namespace knnbert::inline v0_1
