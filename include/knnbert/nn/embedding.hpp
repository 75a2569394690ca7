#pragma once
#include "knnbert/kernel/layer_norm.hpp"
#include "knnbert/nn/linear.hpp"
#include "knnbert/text/batch.hpp"

namespace knnbert::inline v0_1 {

/// Parameters of the input: token, position and segment tables and their normalization. types is -1 where there are
/// none; the first token of a text has position first_position.
struct EmbeddingTables {
  index_t words, positions, types, first_position;
  Norm norm;
};

/// sums [T, H] = word + position + type.  Texts [first, last) of the batch.
inline void add_up_tokens(const EmbeddingTables& tables, const ParameterBlock& values, const Batch& batch,
                          index_t first, index_t last, View sums) {
  const index_t width = sums.cols();
  const float *words = values.slice(tables.words), *positions = values.slice(tables.positions);
  const float* types = tables.types < 0 ? nullptr : values.slice(tables.types);
  for (index_t text = first; text < last; ++text)
    for (index_t t = batch.offsets[as_size(text)]; t < batch.offsets[as_size(text + 1)]; ++t) {
      const float* w = words + index_t{batch.ids[as_size(t)]} * width;
      const float* p = positions + (tables.first_position + t - batch.offsets[as_size(text)]) * width;
      float* out = sums.row(t).data();
      if (types) {
        const float* s = types + index_t{batch.segments[as_size(t)]} * width;
        for (index_t c = 0; c < width; ++c) out[c] = w[c] + p[c] + s[c];
      } else {
        for (index_t c = 0; c < width; ++c) out[c] = w[c] + p[c];
      }
    }
}

/// output [T, H] = dropout(norm(sums)).  Rows [first, first + count) of the batch.
template <class Arch>
void normalize_sums(const EmbeddingTables& tables, const ParameterBlock& values, index_t first, index_t count,
                    const Dropout& dropout, ConstView sums, View statistics, View output) {
  const View out = output.row_range(first, count);
  kernel::layer_norm<Arch>(sums.row_range(first, count), values.slice(tables.norm.gain), values.slice(tables.norm.bias),
                           tables.norm.epsilon, out, statistics.row_range(first, count));
  if (dropout.active()) kernel::apply_dropout<Arch>(out, dropout.from_row(first), out);
}

/// d_sums [T, H] from d_output [T, H] behind the dropout mask. Overwrites it.
template <class Arch>
void sums_backward(const EmbeddingTables& tables, const ParameterBlock& values, ConstView sums, ConstView statistics,
                   ConstView d_output, View d_sums) {
  kernel::layer_norm_backward<Arch>(sums, statistics, values.slice(tables.norm.gain), d_output, d_sums);
}

/// Adds the gradients of the normalization and, unless d_sums is empty, of the tables: every occurrence of a token in
/// order. Workers divide the columns.  d_output [T, H] behind the dropout mask.
template <class Arch>
void add_embedding_gradients(const EmbeddingTables& tables, const Batch& batch, ConstView sums, ConstView statistics,
                             ConstView d_output, ConstView d_sums, Gradients& gradients, const Workers& workers) {
  if (!d_sums.empty())
    for (const token_t id : batch.ids) gradients.touch(id);
  constexpr index_t group = 64;  // fixed, so that results do not depend on threads
  const index_t width = sums.cols();
  workers.for_each((width + group - 1) / group, [&](index_t task, index_t) {
    const index_t first = task * group, last = std::min(width, first + group);
    kernel::add_layer_norm_gradient<Arch>(sums, statistics, d_output, gradients.slice(tables.norm.gain),
                                          gradients.slice(tables.norm.bias), first, last);
    if (d_sums.empty()) return;
    const auto add = [&](float* table, index_t row, const float* d) {
      for (index_t c = first; c < last; ++c) table[row * width + c] += d[c];
    };
    for (index_t text = 0; text < batch.size(); ++text)
      for (index_t t = batch.offsets[as_size(text)]; t < batch.offsets[as_size(text + 1)]; ++t) {
        const float* d = d_sums.row(t).data();
        add(gradients.slice(tables.words), batch.ids[as_size(t)], d);
        add(gradients.slice(tables.positions), tables.first_position + t - batch.offsets[as_size(text)], d);
        if (tables.types >= 0) add(gradients.slice(tables.types), batch.segments[as_size(t)], d);
      }
  });
}

}  // namespace knnbert::inline v0_1
