#pragma once
#include "knnbert/encoder/bert_config.hpp"

namespace knnbert_test {

/// The same shape in a family, without the parts that it lacks, for texts of the same lengths.
inline knnbert::BertConfig in_family(knnbert::BertConfig config, const knnbert::BertFamily& family) {
  config.family = &family;
  if (!family.segments) config.type_vocab_size = 0;
  config.pooler = config.pooler && family.pooler;
  if (family.skips_positions) config.pad_token_id = 1, config.max_position_embeddings += 2, config.type_vocab_size = 1;
  return config;
}

}  // namespace knnbert_test
