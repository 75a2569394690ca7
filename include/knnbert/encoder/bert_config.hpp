#pragma once
#include <string>
#include <utility>

#include "knnbert/core/error.hpp"
#include "knnbert/encoder/bert_family.hpp"
#include "knnbert/nn/block.hpp"

namespace knnbert::inline v0_1 {

/// Shape of a BERT encoder, with the names and defaults of Hugging Face's config.json. Of a family without segments
/// type_vocab_size is 0.
struct BertConfig {
  const BertFamily* family = &bert_family;
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
  bool pooler = true;        ///< a checkpoint without pooler cannot pool with it
  index_t pad_token_id = 0;  ///< of a family that skips positions

  /// Row of the position embeddings for a text's first token.
  index_t first_position() const { return family->skips_positions ? pad_token_id + 1 : 0; }
  /// Most tokens of a text.
  index_t max_length() const { return max_position_embeddings - first_position(); }

  /// What an encoder of these parameters computes, as far as their shapes do not say it.
  std::string function() const {
    return format("{} {} {} {} {}", family->model_type, num_attention_heads, layer_norm_eps,
                  static_cast<int>(hidden_act), first_position());
  }

  bool operator==(const BertConfig&) const = default;
};

namespace detail {

/// What is wrong with a shape, beginning with the name of the setting; empty if an encoder of it can exist.
inline std::string problem_of(const BertConfig& c) {
  constexpr index_t most_width = index_t{1} << 16;
  struct Range {
    const char* name;
    index_t value, most;
  };
  for (const auto& [name, value, most] : {Range{"vocab_size", c.vocab_size, index_t{1} << 24},
                                          {"hidden_size", c.hidden_size, most_width},
                                          {"num_hidden_layers", c.num_hidden_layers, 1000},
                                          {"num_attention_heads", c.num_attention_heads, most_width},
                                          {"intermediate_size", c.intermediate_size, index_t{1} << 18},
                                          {"max_position_embeddings", c.max_position_embeddings, index_t{1} << 20}})
    if (value < 1 || value > most) return format("{}: {} given, 1 to {} expected", name, value, most);
  if (c.pad_token_id < 0 || c.pad_token_id >= c.vocab_size)
    return format("pad_token_id: {} given, 0 to {} expected", c.pad_token_id, c.vocab_size - 1);
  if (c.max_length() < 1)
    return format("max_position_embeddings: {} given, at least {} expected: positions begin at pad_token_id + 1",
                  c.max_position_embeddings, c.first_position() + 1);
  constexpr index_t most_types = 1 << 16;
  if (c.family->segments ? c.type_vocab_size < 1 || c.type_vocab_size > most_types : c.type_vocab_size != 0)
    return format("type_vocab_size: {} given, {} expected", c.type_vocab_size, c.family->segments ? "1 to 65536" : "0");
  if (c.pooler && !c.family->pooler) return format("pooler: true given, false expected of a {}", c.family->model_type);
  if (c.hidden_size % c.num_attention_heads)
    return format("num_attention_heads: {} given, a divisor of hidden_size {} expected", c.num_attention_heads,
                  c.hidden_size);
  if (!(c.layer_norm_eps > 0)) return format("layer_norm_eps: {} given, a positive number expected", c.layer_norm_eps);
  if (!(c.initializer_range >= 0))
    return format("initializer_range: {} given, at least 0 expected", c.initializer_range);
  for (const auto& [name, rate] : {std::pair("hidden_dropout_prob", c.hidden_dropout_prob),
                                   {"attention_probs_dropout_prob", c.attention_probs_dropout_prob}})
    if (!(rate >= 0 && rate < 1)) return format("{}: {} given, at least 0 and below 1 expected", name, rate);
  return {};
}

}  // namespace detail

/// Throws OptionError unless the shape describes an encoder of a size that can exist.
inline void validate(const BertConfig& c) {
  if (const auto problem = detail::problem_of(c); !problem.empty()) raise<OptionError>("BertConfig::{}", problem);
}

}  // namespace knnbert::inline v0_1
