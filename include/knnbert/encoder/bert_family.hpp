#pragma once
#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace knnbert::inline v0_1 {

/// What tells a family of encoders from BERT: the spelling of its directories and the parts that it lacks. Data, no
/// code: the passes are the same.
struct BertFamily {
  /// Keys of config.json; empty: the family has no such setting.
  struct Keys {
    const char *hidden_size, *num_hidden_layers, *num_attention_heads, *intermediate_size, *type_vocab_size,
        *layer_norm_eps, *hidden_dropout_prob, *attention_probs_dropout_prob, *hidden_act;
  };

  const char* model_type;             // in config.json
  const char* architecture;           // of the encoder alone
  const char* sequence_architecture;  // of a classifier that is one linear layer over the pooler; empty: the family has
                                      // none
  const char* prefix;                 // of the encoder's tensors in that classifier's file
  const char* classifier;             // of the linear layer's tensors there
  const char* classifier_pooler;      // of the pooler's, where that file does not count it to the encoder
  Keys keys;
  std::array<std::pair<std::string_view, std::string_view>, 9> names;  // parts of tensors' names: BERT's, the family's
  bool segments;                                                       // embeddings of token types
  bool pooler;                  // a layer over the first token, where a file has one
  bool skips_positions;         // texts begin at the position behind pad_token_id, and no text uses those before it
  bool drops_attention_output;  // dropout behind the attention's output layer

  /// The family's name of a tensor of BERT.
  std::string name_of(std::string name) const {
    for (const auto& [bert, own] : names)
      if (const auto at = name.find(bert); !bert.empty() && at != name.npos) name.replace(at, bert.size(), own);
    return name;
  }
};

/// Devlin et al. 2019, as transformers' BertModel.
inline constexpr BertFamily bert_family{.model_type = "bert",
                                        .architecture = "BertModel",
                                        .sequence_architecture = "BertForSequenceClassification",
                                        .prefix = "bert.",
                                        .classifier = "classifier.",
                                        .classifier_pooler = "",
                                        .keys = {.hidden_size = "hidden_size",
                                                 .num_hidden_layers = "num_hidden_layers",
                                                 .num_attention_heads = "num_attention_heads",
                                                 .intermediate_size = "intermediate_size",
                                                 .type_vocab_size = "type_vocab_size",
                                                 .layer_norm_eps = "layer_norm_eps",
                                                 .hidden_dropout_prob = "hidden_dropout_prob",
                                                 .attention_probs_dropout_prob = "attention_probs_dropout_prob",
                                                 .hidden_act = "hidden_act"},
                                        .names = {},
                                        .segments = true,
                                        .pooler = true,
                                        .skips_positions = false,
                                        .drops_attention_output = true};

/// Sanh et al. 2019, as transformers' DistilBertModel: no segments, no pooler.
inline constexpr BertFamily distilbert_family{.model_type = "distilbert",
                                              .architecture = "DistilBertModel",
                                              .sequence_architecture = "",
                                              .prefix = "distilbert.",
                                              .classifier = "",
                                              .classifier_pooler = "",
                                              .keys = {.hidden_size = "dim",
                                                       .num_hidden_layers = "n_layers",
                                                       .num_attention_heads = "n_heads",
                                                       .intermediate_size = "hidden_dim",
                                                       .type_vocab_size = "",
                                                       .layer_norm_eps = "",
                                                       .hidden_dropout_prob = "dropout",
                                                       .attention_probs_dropout_prob = "attention_dropout",
                                                       .hidden_act = "activation"},
                                              .names = {{{"encoder.layer.", "transformer.layer."},
                                                         {"attention.self.query", "attention.q_lin"},
                                                         {"attention.self.key", "attention.k_lin"},
                                                         {"attention.self.value", "attention.v_lin"},
                                                         {"attention.output.dense", "attention.out_lin"},
                                                         {"attention.output.LayerNorm", "sa_layer_norm"},
                                                         {"intermediate.dense", "ffn.lin1"},
                                                         {"output.dense", "ffn.lin2"},
                                                         {"output.LayerNorm", "output_layer_norm"}}},
                                              .segments = false,
                                              .pooler = false,
                                              .skips_positions = false,
                                              .drops_attention_output = false};

/// Liu et al. 2019, as transformers' RobertaModel: BERT whose position embeddings begin behind the padding's.
inline constexpr BertFamily roberta_family{.model_type = "roberta",
                                           .architecture = "RobertaModel",
                                           .sequence_architecture = "RobertaForSequenceClassification",
                                           .prefix = "roberta.",
                                           .classifier = "classifier.out_proj.",
                                           .classifier_pooler = "classifier.dense.",
                                           .keys = bert_family.keys,
                                           .names = {},
                                           .segments = true,
                                           .pooler = true,
                                           .skips_positions = true,
                                           .drops_attention_output = true};

/// Conneau et al. 2020, as transformers' XLMRobertaModel: RoBERTa under another name.
inline constexpr BertFamily xlm_roberta_family = [] {
  auto family = roberta_family;
  family.model_type = "xlm-roberta";
  family.architecture = "XLMRobertaModel";
  family.sequence_architecture = "XLMRobertaForSequenceClassification";
  return family;
}();

inline constexpr const BertFamily* bert_families[] = {&bert_family, &distilbert_family, &roberta_family,
                                                      &xlm_roberta_family};

}  // namespace knnbert::inline v0_1
