#pragma once
#include <vector>

#include "knnbert/core/gradients.hpp"
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
  static BertLayers declare_dense(const BertConfig& c, ParameterTable& table);
  void declare_lookup(const BertConfig& c, ParameterTable& table) {
    words = table.add_lookup("embeddings.word_embeddings.weight", c.vocab_size, c.hidden_size);
  }
  /// Where the dense parameters end of the embedding and of each block, in their order.
  std::vector<index_t> ends(const ParameterTable& table) const;
  /// The lowest block that a backward pass has to go through: what lies below has no gradient that is wanted.
  template <class PassGradients>
  index_t lowest_block(const ParameterTable& table, const PassGradients& gradients) const {
    index_t lowest = 0;
    if (gradients.d_output || gradients.d_sums_out || !gradients.parameters) return lowest;
    if (gradients.parameters->wants_lookup()) return lowest;
    while (lowest < std::ssize(blocks) && !moves(lowest, table, *gradients.parameters)) ++lowest;
    return lowest;
  }
  /// Whether the gradients of a block's parameters are wanted.
  bool moves(index_t block, const ParameterTable& table, const Gradients& gradients) const {
    return gradients.wants(table[blocks[as_size(block)].projections.weight].offset);
  }
  /// The layers whose products run in reduced precision.
  std::vector<Linear> lowered() const;

 private:
  static Block declare_block(const BertConfig& c, ParameterTable& table, const std::string& prefix);
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/encoder/bert_layers_impl.hpp"
#endif
