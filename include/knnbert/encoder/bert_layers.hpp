#pragma once
#include <vector>

#include "knnbert/encoder/bert_config.hpp"

namespace knnbert::inline v0_1 {

/// Where the parameters of a BERT encoder lie in a table. They are declared in two parts, because the token embeddings
/// come last in a table and other parts of a model (heads) lie in between.
struct BertLayers {
  index_t positions = -1, types = -1, words = -1;  // no types in a family without segments
  Norm embedding_norm;
  std::vector<Block> blocks;
  Linear pooler;

  /// Everything but the token embeddings.
  static BertLayers declare_dense(const BertConfig& c, ParameterTable& table) {
    BertLayers layers;
    layers.positions =
        table.add_rows("embeddings.position_embeddings.weight", c.max_position_embeddings, c.hidden_size);
    if (c.type_vocab_size > 0)
      layers.types = table.add_rows("embeddings.token_type_embeddings.weight", c.type_vocab_size, c.hidden_size);
    layers.embedding_norm = Norm::declare(table, "embeddings.LayerNorm", c.hidden_size, c.layer_norm_eps);
    for (index_t i = 0; i < c.num_hidden_layers; ++i)
      layers.blocks.push_back(declare_block(c, table, format("encoder.layer.{}.", i)));
    if (c.pooler) layers.pooler = Linear::declare(table, "pooler.dense", c.hidden_size, c.hidden_size);
    return layers;
  }
  void declare_lookup(const BertConfig& c, ParameterTable& table) {
    words = table.add_lookup("embeddings.word_embeddings.weight", c.vocab_size, c.hidden_size);
  }
  /// The layers whose products run in reduced precision.
  std::vector<Linear> lowered() const {
    std::vector<Linear> layers;
    for (const Block& b : blocks)
      layers.insert(layers.end(), {b.projections, b.attention_output, b.intermediate, b.output});
    return layers;
  }

 private:
  static Block declare_block(const BertConfig& c, ParameterTable& table, const std::string& prefix) {
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
};

}  // namespace knnbert::inline v0_1
