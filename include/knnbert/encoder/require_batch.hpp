#pragma once
#include <string_view>

#include "knnbert/encoder/bert_config.hpp"
#include "knnbert/encoder/pooling.hpp"

namespace knnbert {

/// Throws ShapeError or OptionError unless an encoder of this shape can encode the batch.
inline void require_batch(std::string_view where, const BertConfig& config, const Batch& batch, Pooling pooling) {
  if (batch.size() < 1) raise<ShapeError>("{}: 0 texts given, at least 1 expected", where);
  if (batch.offsets.front() != 0 || std::ssize(batch.ids) != batch.tokens() || std::ssize(batch.segments) != batch.tokens())
    raise<ShapeError>("{}: {} ids, {} segments and offsets {} to {} given, offsets from 0 to the number of both expected", where, batch.ids.size(),
                      batch.segments.size(), batch.offsets.front(), batch.offsets.back());
  if (pooling == Pooling::pooler && !config.pooler)
    raise<OptionError>("{}: Pooling::pooler given, but the encoder has no pooler: Pooling::mean or cls expected", where);
  for (index_t i = 0; i < batch.size(); ++i)
    if (batch.length(i) < 1 || batch.length(i) > config.max_position_embeddings)
      raise<ShapeError>("{}: text {} of {} tokens given, 1 to {} expected", where, i, batch.length(i), config.max_position_embeddings);
  for (index_t t = 0; t < batch.tokens(); ++t) {
    if (batch.ids[t] < 0 || batch.ids[t] >= config.vocab_size)
      raise<ShapeError>("{}: token {} given, 0 to {} expected", where, batch.ids[t], config.vocab_size - 1);
    if (batch.segments[t] >= config.type_vocab_size)
      raise<ShapeError>("{}: segment {} given, below {} expected", where, index_t{batch.segments[t]}, config.type_vocab_size);
  }
}

}  // namespace knnbert
