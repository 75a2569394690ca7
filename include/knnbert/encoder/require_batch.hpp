#pragma once
#include <string_view>

#include "knnbert/core/finite.hpp"
#include "knnbert/encoder/bert_config.hpp"
#include "knnbert/encoder/pooling.hpp"

namespace knnbert::inline v0_1 {

/// Throws FormatError unless the token embeddings have a row for each of the tokenizer's ids.
inline void require_vocabulary(std::string_view where, index_t tokens, index_t rows) {
  if (tokens > rows)
    raise<FormatError>(
        "{}: a tokenizer of {} tokens given, at most as many as rows of the encoder's token embeddings, {}, expected: "
        "added tokens need rows",
        where, tokens, rows);
}

/// Throws NonFiniteError unless all rows are finite; `what` a row is.
inline void require_finite_rows(std::string_view where, std::string_view what, ConstView rows) {
  for (index_t i = 0; i < rows.rows(); ++i)
    if (!all_finite(rows.row(i)))
      raise<NonFiniteError>(
          "{}: {} {} of {} is not finite: the parameters have diverged, training with a smaller learning rate expected",
          where, what, i + 1, rows.rows());
}
inline void require_finite_embeddings(std::string_view where, ConstView embeddings) {
  require_finite_rows(where, "the embedding of text", embeddings);
}

/// Throws ShapeError or OptionError unless an encoder of this shape can encode the batch.
inline void require_batch(std::string_view where, const BertConfig& config, const Batch& batch, Pooling pooling) {
  if (batch.size() == 0) raise<ShapeError>("{}: 0 texts given, at least 1 expected", where);
  batch.require_whole(where);
  if (pooling == Pooling::pooler && !config.pooler)
    raise<OptionError>("{}: Pooling::pooler given, but the encoder has no pooler: Pooling::mean or cls expected",
                       where);
  for (index_t i = 0; i < batch.size(); ++i)
    if (batch.length(i) < 1 || batch.length(i) > config.max_length())
      raise<ShapeError>("{}: text {} of {} tokens given, 1 to {} expected", where, i, batch.length(i),
                        config.max_length());
  for (index_t t = 0; t < batch.tokens(); ++t) {
    if (batch.ids[as_size(t)] < 0 || batch.ids[as_size(t)] >= config.vocab_size)
      raise<ShapeError>("{}: token {} given, 0 to {} expected", where, batch.ids[as_size(t)], config.vocab_size - 1);
    if (config.family->segments && batch.segments[as_size(t)] >= config.type_vocab_size)
      raise<ShapeError>("{}: segment {} given, below {} expected", where, index_t{batch.segments[as_size(t)]},
                        config.type_vocab_size);
  }
}

}  // namespace knnbert::inline v0_1
