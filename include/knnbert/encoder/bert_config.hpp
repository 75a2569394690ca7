#pragma once
#include <string>

#include "knnbert/core/error.hpp"
#include "knnbert/nn/block.hpp"

namespace knnbert {

/// Shape of a BERT encoder, with the names and defaults of Hugging Face's config.json.
struct BertConfig {
  index_t vocab_size = 30522;
  index_t hidden_size = 768;
  index_t num_hidden_layers = 12;
  index_t num_attention_heads = 12;
  index_t intermediate_size = 3072;
  index_t max_position_embeddings = 512;
  index_t type_vocab_size = 2;
  float layer_norm_eps = 1e-12f;
  float hidden_dropout_prob = 0.1f;
  float attention_probs_dropout_prob = 0.1f;
  float initializer_range = 0.02f;
  ActivationKind hidden_act = ActivationKind::gelu;
  bool pooler = true;  ///< a checkpoint without pooler cannot pool with it

  bool operator==(const BertConfig&) const = default;
};

/// Throws OptionError unless the shape describes an encoder of a size that can exist.
inline void validate(const BertConfig& c) {
  const auto in_range = [](std::string_view name, index_t value, index_t most) {
    if (value < 1 || value > most) raise<OptionError>("BertConfig::{}: {} given, 1 to {} expected", name, value, most);
  };
  in_range("vocab_size", c.vocab_size, index_t{1} << 24);
  in_range("hidden_size", c.hidden_size, index_t{1} << 16);
  in_range("num_hidden_layers", c.num_hidden_layers, 1000);
  in_range("num_attention_heads", c.num_attention_heads, c.hidden_size);
  in_range("intermediate_size", c.intermediate_size, index_t{1} << 18);
  in_range("max_position_embeddings", c.max_position_embeddings, index_t{1} << 20);
  in_range("type_vocab_size", c.type_vocab_size, 1 << 16);
  if (c.hidden_size % c.num_attention_heads)
    raise<OptionError>("BertConfig::hidden_size: {} given, a multiple of num_attention_heads {} expected", c.hidden_size, c.num_attention_heads);
  if (!(c.layer_norm_eps > 0)) raise<OptionError>("BertConfig::layer_norm_eps: {} given, a positive number expected", c.layer_norm_eps);
  for (const float rate : {c.hidden_dropout_prob, c.attention_probs_dropout_prob})
    if (!(rate >= 0 && rate < 1)) raise<OptionError>("BertConfig::dropout: {} given, [0, 1) expected", rate);
}

}  // namespace knnbert
