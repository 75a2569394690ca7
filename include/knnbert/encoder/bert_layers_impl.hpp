#pragma once
#include "knnbert/config.hpp"
#include "knnbert/encoder/bert_layers.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE BertLayers BertLayers::declare_dense(const BertConfig& c, ParameterTable& table) {
  BertLayers layers;
  layers.positions = table.add_rows("embeddings.position_embeddings.weight", c.max_position_embeddings, c.hidden_size);
  if (c.type_vocab_size > 0)
    layers.types = table.add_rows("embeddings.token_type_embeddings.weight", c.type_vocab_size, c.hidden_size);
  layers.embedding_norm = Norm::declare(table, "embeddings.LayerNorm", c.hidden_size, c.layer_norm_eps);
  for (index_t i = 0; i < c.num_hidden_layers; ++i)
    layers.blocks.push_back(declare_block(c, table, format("encoder.layer.{}.", i)));
  if (c.pooler) layers.pooler = Linear::declare(table, "pooler.dense", c.hidden_size, c.hidden_size);
  return layers;
}

KNNBERT_INLINE std::vector<Linear> BertLayers::lowered() const {
  std::vector<Linear> layers;
  for (const Block& b : blocks)
    layers.insert(layers.end(), {b.projections, b.attention_output, b.intermediate, b.output});
  return layers;
}

KNNBERT_INLINE std::vector<index_t> BertLayers::ends(const ParameterTable& table) const {
  const auto behind = [&](const Norm& last) {
    const index_t next = last.bias + 1;
    return next < table.count() ? table[next].offset : table.size();
  };
  std::vector<index_t> ends{behind(embedding_norm)};
  for (const Block& block : blocks) ends.push_back(behind(block.output_norm));
  return ends;
}

KNNBERT_INLINE Block BertLayers::declare_block(const BertConfig& c, ParameterTable& table, const std::string& prefix) {
  Block block;
  block.projections = Linear::declare(table, prefix + "attention.self.projections", 3 * c.hidden_size, c.hidden_size);
  block.attention_output = Linear::declare(table, prefix + "attention.output.dense", c.hidden_size, c.hidden_size);
  block.attention_norm = Norm::declare(table, prefix + "attention.output.LayerNorm", c.hidden_size, c.layer_norm_eps);
  block.intermediate = Linear::declare(table, prefix + "intermediate.dense", c.intermediate_size, c.hidden_size);
  block.output = Linear::declare(table, prefix + "output.dense", c.hidden_size, c.intermediate_size);
  block.output_norm = Norm::declare(table, prefix + "output.LayerNorm", c.hidden_size, c.layer_norm_eps);
  block.heads = c.num_attention_heads;
  block.activation = c.hidden_act;
  return block;
}

}  // namespace knnbert::inline v0_1
