#pragma once
#include <initializer_list>

#include "knnbert/config.hpp"
#include "knnbert/encoder/bert_config_files.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/io/require_folder.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

inline ActivationKind activation_from(const std::string& name, const char* key, const std::string& file) {
  for (const auto& [known, kind] : activation_names)
    if (known == name) return kind;
  raise<FormatError>("{}: {} '{}' given, gelu, gelu_new, gelu_pytorch_tanh, gelu_python, gelu_fast or relu expected",
                     file, key, name);
}

inline std::string name_of(ActivationKind kind) {
  for (const auto& [known, value] : activation_names)
    if (value == kind) return std::string(known);
  return "gelu";
}

/// The family of "RobertaForMaskedLM" and the like: the name of its encoder alone is "RobertaModel".
inline const BertFamily& family_of_architecture(const std::string& given, const std::string& where) {
  constexpr std::string_view ending = "Model";
  for (const BertFamily* family : bert_families) {
    const auto begin =
        std::string_view(family->architecture).substr(0, std::string_view(family->architecture).size() - ending.size());
    const auto rest = std::string_view(given).substr(given.starts_with(begin) ? begin.size() : given.size());
    if (rest.starts_with(ending) || rest.starts_with("For")) return *family;
  }
  raise<FormatError>(
      "{}: architectures: {} and no model_type given, an encoder of bert, distilbert, roberta or xlm-roberta expected",
      where, given);
}

/// The family that config.json names by model_type, in old files by architectures; BERT where it names none.
inline const BertFamily& family_of(const Json& json, const std::string& where) {
  const auto given = optional_value<std::string>(json, "model_type", "", where);
  const auto architectures = optional_value<std::vector<std::string>>(json, "architectures", {}, where);
  if (given.empty()) return architectures.empty() ? bert_family : family_of_architecture(architectures[0], where);
  std::string expected;
  for (const BertFamily* family : bert_families) {
    if (given == family->model_type) return *family;
    expected += (expected.empty() ? "" : " or ") + std::string(family->model_type);
  }
  raise<FormatError>("{}: model_type '{}' given, {} expected", where, given, expected);
}

/// Throws FormatError for settings of config.json under which these weights compute something else than Bert does.
inline void require_bert(const Json& json, const std::string& where) {
  const auto positions = optional_value<std::string>(json, "position_embedding_type", "absolute", where);
  if (positions != "absolute")
    raise<FormatError>("{}: position_embedding_type '{}' given, absolute expected", where, positions);
  for (const char* key : {"is_decoder", "add_cross_attention"})
    if (optional_value(json, key, false, where))
      raise<FormatError>("{}: {} true given, false expected: an encoder, not a decoder", where, key);
  for (const char* key : {"quantization_config", "pruned_heads"})
    if (const auto found = json.find(key); found != json.end() && !found->empty())
      raise<FormatError>("{}: {} given, weights that are neither quantized nor pruned expected", where, key);
}

}  // namespace detail

KNNBERT_INLINE BertConfig read_bert_config(const std::filesystem::path& folder) {
  require_folder(folder, "a folder with a BERT encoder");
  if (committed_exists(folder / "adapter_config.json"))
    raise<FormatError>("{}: adapter_config.json given, an encoder that its adapter was merged into expected",
                       folder.string());
  const auto path = folder / "config.json";
  const Json json = read_json(path);
  const std::string where = path.string();
  detail::require_bert(json, where);
  BertConfig c{.family = &detail::family_of(json, where)};
  const auto& keys = c.family->keys;
  for (const auto& [key, field] :
       std::initializer_list<std::pair<const char*, index_t*>>{{"vocab_size", &c.vocab_size},
                                                               {keys.hidden_size, &c.hidden_size},
                                                               {keys.num_hidden_layers, &c.num_hidden_layers},
                                                               {keys.num_attention_heads, &c.num_attention_heads},
                                                               {keys.intermediate_size, &c.intermediate_size},
                                                               {"max_position_embeddings", &c.max_position_embeddings}})
    *field = require<index_t>(json, key, where);
  c.type_vocab_size = *keys.type_vocab_size ? optional_value<index_t>(json, keys.type_vocab_size, 2, where) : 0;
  c.pooler = c.family->pooler;
  if (c.family->skips_positions) c.pad_token_id = optional_value<index_t>(json, "pad_token_id", 1, where);
  for (const auto& [key, field] : std::initializer_list<std::pair<const char*, float*>>{
           {keys.layer_norm_eps, &c.layer_norm_eps},
           {keys.hidden_dropout_prob, &c.hidden_dropout_prob},
           {keys.attention_probs_dropout_prob, &c.attention_probs_dropout_prob},
           {"initializer_range", &c.initializer_range}})
    if (*key) *field = optional_value<float>(json, key, *field, where);
  if (const auto found = json.find(keys.hidden_act); found != json.end() && found->is_null())
    raise<FormatError>("{}: {} null given, the name of an activation expected", where, keys.hidden_act);
  c.hidden_act = detail::activation_from(optional_value<std::string>(json, keys.hidden_act, "gelu", where),
                                         keys.hidden_act, where);
  if (const auto problem = detail::problem_of(c); !problem.empty()) raise<FormatError>("{}: {}", where, problem);
  return c;
}

KNNBERT_INLINE void write_bert_config(const std::filesystem::path& folder, const BertConfig& c,
                                      const std::optional<BertClassifier>& classifier) {
  const auto& keys = c.family->keys;
  OrderedJson json{{"architectures", {c.family->architecture}}, {"model_type", c.family->model_type}};
  const auto set = [&](const char* key, const OrderedJson& value) {
    if (*key) json[key] = value;
  };
  set("vocab_size", c.vocab_size);
  set(keys.hidden_size, c.hidden_size);
  set(keys.num_hidden_layers, c.num_hidden_layers);
  set(keys.num_attention_heads, c.num_attention_heads);
  set(keys.intermediate_size, c.intermediate_size);
  set("max_position_embeddings", c.max_position_embeddings);
  set(keys.type_vocab_size, c.type_vocab_size);
  set(keys.hidden_act, detail::name_of(c.hidden_act));
  set(keys.hidden_dropout_prob, detail::shortest_decimal(c.hidden_dropout_prob));
  set(keys.attention_probs_dropout_prob, detail::shortest_decimal(c.attention_probs_dropout_prob));
  set(keys.layer_norm_eps, detail::shortest_decimal(c.layer_norm_eps));
  set("initializer_range", detail::shortest_decimal(c.initializer_range));
  set("position_embedding_type", "absolute");
  set("pad_token_id", c.pad_token_id);
  if (classifier) {
    if (classifier->sequence_classifier) json["architectures"] = {c.family->sequence_architecture};
    auto names = OrderedJson::object(), numbers = OrderedJson::object();
    for (std::size_t number = 0; number < classifier->classes.size(); ++number) {
      names[std::to_string(number)] = classifier->classes[number];
      numbers[classifier->classes[number]] = number;
    }
    if (!classifier->problem.empty()) json["problem_type"] = classifier->problem;
    if (!names.empty()) json["id2label"] = names, json["label2id"] = numbers;
  }
  write_json(folder / "config.json", json);
}

}  // namespace knnbert::inline v0_1
