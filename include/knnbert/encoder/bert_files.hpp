#pragma once
#include "knnbert/encoder/bert.hpp"
#include "knnbert/encoder/bert_names.hpp"
#include "knnbert/core/finite.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/io/require_folder.hpp"
#include "knnbert/io/safetensors_directory.hpp"
#include "knnbert/io/safetensors_writer.hpp"

/// BERT encoders in Hugging Face directories: config.json and model.safetensors, single or sharded.
namespace knnbert {

inline constexpr std::pair<std::string_view, ActivationKind> activation_names[] = {
    {"gelu", ActivationKind::gelu}, {"gelu_new", ActivationKind::gelu_tanh}, {"gelu_pytorch_tanh", ActivationKind::gelu_tanh}, {"relu", ActivationKind::relu}};

namespace detail {

inline ActivationKind activation_from(const std::string& name, const std::string& file) {
  for (const auto& [known, kind] : activation_names)
    if (known == name) return kind;
  raise<FormatError>("{}: hidden_act '{}' given, gelu, gelu_new, gelu_pytorch_tanh or relu expected", file, name);
}

/// The double whose shortest decimal is that of x: 0.1f is written as 0.1.
inline double shortest_decimal(float x) {
  char digits[32];
  double value = 0;
  std::from_chars(digits, std::to_chars(digits, digits + sizeof digits, x).ptr, value);
  return value;
}

inline std::string name_of(ActivationKind kind) {
  for (const auto& [known, value] : activation_names)
    if (value == kind) return std::string(known);
  return "gelu";
}

/// Prefix of the encoder's tensors in a checkpoint of a larger model, such as "bert." or "0.auto_model.".
inline std::string checkpoint_prefix(const SafeTensorsDirectory& tensors, const std::string& folder) {
  constexpr std::string_view ending = "embeddings.word_embeddings.weight";
  std::vector<std::string> prefixes;
  for (const std::string& name : tensors.names()) {
    if (name.find(".lora_") != name.npos)
      raise<FormatError>("{}: tensor '{}' of an adapter given, weights that an adapter was merged into expected", folder, name);
    if (!name.ends_with(ending)) continue;
    const auto prefix = name.substr(0, name.size() - ending.size());
    if (prefix.empty() || prefix == "bert.") return prefix;
    if (prefix.ends_with('.')) prefixes.push_back(prefix);
  }
  if (prefixes.size() == 1) return prefixes.front();
  if (prefixes.empty()) raise<FormatError>("{}: no tensor {}, with a prefix or without: a BERT checkpoint expected", folder, ending);
  raise<FormatError>("{}: {} encoders given ('{}' and '{}'), one expected", folder, prefixes.size(), prefixes[0], prefixes[1]);
}

/// Throws FormatError for settings of config.json under which these weights compute something else than Bert does.
inline void require_bert(const Json& json, const std::string& where) {
  const auto require_text = [&](const char* key, const std::string& expected) {
    const auto given = optional_value<std::string>(json, key, expected, where);
    if (given != expected) raise<FormatError>("{}: {} '{}' given, {} expected", where, key, given, expected);
  };
  require_text("model_type", "bert");
  require_text("position_embedding_type", "absolute");
  for (const char* key : {"is_decoder", "add_cross_attention"})
    if (optional_value(json, key, false, where)) raise<FormatError>("{}: {} true given, false expected: an encoder, not a decoder", where, key);
  for (const char* key : {"quantization_config", "pruned_heads"})
    if (const auto found = json.find(key); found != json.end() && !found->empty())
      raise<FormatError>("{}: {} given, weights that are neither quantized nor pruned expected", where, key);
}

}  // namespace detail

/// Reads config.json.  Errors: IoError, FormatError. Whether the checkpoint has a pooler is not said there.
inline BertConfig read_bert_config(const std::filesystem::path& folder) {
  require_folder(folder, "a folder with a BERT encoder");
  if (committed_exists(folder / "adapter_config.json"))
    raise<FormatError>("{}: adapter_config.json given, an encoder that its adapter was merged into expected", folder.string());
  const auto path = folder / "config.json";
  const Json json = read_json(path);
  const std::string where = path.string();
  detail::require_bert(json, where);
  BertConfig c;
  for (const auto& [key, field] : std::initializer_list<std::pair<const char*, index_t*>>{
           {"vocab_size", &c.vocab_size}, {"hidden_size", &c.hidden_size}, {"num_hidden_layers", &c.num_hidden_layers},
           {"num_attention_heads", &c.num_attention_heads}, {"intermediate_size", &c.intermediate_size},
           {"max_position_embeddings", &c.max_position_embeddings}})
    *field = require<index_t>(json, key, where);
  c.type_vocab_size = optional_value<index_t>(json, "type_vocab_size", 2, where);
  for (const auto& [key, field] : std::initializer_list<std::pair<const char*, float*>>{
           {"layer_norm_eps", &c.layer_norm_eps}, {"hidden_dropout_prob", &c.hidden_dropout_prob},
           {"attention_probs_dropout_prob", &c.attention_probs_dropout_prob}, {"initializer_range", &c.initializer_range}})
    *field = optional_value<float>(json, key, *field, where);
  c.hidden_act = detail::activation_from(optional_value<std::string>(json, "hidden_act", "gelu", where), where);
  if (const auto problem = detail::problem_of(c); !problem.empty()) raise<FormatError>("{}: {}", where, problem);
  return c;
}

/// Writes config.json as transformers reads it; `extra` fields (architectures, id2label, ...) are added or override.
inline void write_bert_config(const std::filesystem::path& folder, const BertConfig& c, const OrderedJson& extra = OrderedJson::object()) {
  OrderedJson json{{"architectures", {"BertModel"}},
                   {"model_type", "bert"},
                   {"vocab_size", c.vocab_size},
                   {"hidden_size", c.hidden_size},
                   {"num_hidden_layers", c.num_hidden_layers},
                   {"num_attention_heads", c.num_attention_heads},
                   {"intermediate_size", c.intermediate_size},
                   {"max_position_embeddings", c.max_position_embeddings},
                   {"type_vocab_size", c.type_vocab_size},
                   {"hidden_act", detail::name_of(c.hidden_act)},
                   {"hidden_dropout_prob", detail::shortest_decimal(c.hidden_dropout_prob)},
                   {"attention_probs_dropout_prob", detail::shortest_decimal(c.attention_probs_dropout_prob)},
                   {"layer_norm_eps", detail::shortest_decimal(c.layer_norm_eps)},
                   {"initializer_range", detail::shortest_decimal(c.initializer_range)},
                   {"position_embedding_type", "absolute"},
                   {"pad_token_id", 0}};
  json.update(extra);
  write_json(folder / "config.json", json);
}

/// An opened checkpoint: its shape at once, its values when a block asks for them. The file stays mapped meanwhile.
/// That it has every tensor in the configured shape is checked when it is opened, before memory is taken for values.
class BertCheckpoint {
 public:
  /// Errors: IoError, FormatError.
  explicit BertCheckpoint(const std::filesystem::path& folder)
      : name_(folder.string()), config_(read_bert_config(folder)), tensors_(folder), prefix_(detail::checkpoint_prefix(tensors_, name_)) {
    config_.pooler = tensors_.find(prefix_ + "pooler.dense.weight").has_value();
    find(format("encoder.layer.{}.output.dense.weight", config_.num_hidden_layers - 1));
    ParameterTable table;
    BertLayers layers = BertLayers::declare_dense(config_, table);
    layers.declare_lookup(config_, table);
    for (const auto& tensor : checkpoint_tensors(layers, table)) source_of(tensor, table[tensor.parameter]);
  }

  const BertConfig& config() const { return config_; }
  const SafeTensorsDirectory& tensors() const { return tensors_; }

  /// Fills the encoder's parameters; F16, BF16 and F64 are converted. Tensors nobody asks for (position_ids, other heads)
  /// are ignored, whatever their type.  Errors: FormatError for a number that is not finite; the block may then be partly
  /// written.
  void read(const BertLayers& layers, ParameterBlock& values) const {
    read(layers, values, [](index_t) { return true; }, [](index_t) {});
  }
  /// The same for the parameters that `wants` names; done(parameter) is called behind each.
  template <class Wants, class Done>
  void read(const BertLayers& layers, ParameterBlock& values, Wants&& wants, Done&& done) const {
    std::vector<float> buffer;
    const auto all = checkpoint_tensors(layers, values.table());
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto& tensor = all[i];
      if (!wants(tensor.parameter)) continue;
      const auto& parameter = values.table()[tensor.parameter];
      const TensorView source = source_of(tensor, parameter);
      const index_t columns = source.size() / tensor.rows, group = std::max<index_t>(1, floats_at_once / columns);
      for (index_t row = 0; row < tensor.rows; row += group) {  // one tensor, the token embeddings, is half of a small model
        TensorView rows = source;
        const auto row_bytes = source.bytes.size() / static_cast<std::size_t>(tensor.rows);
        const auto count = static_cast<std::size_t>(std::min(group, tensor.rows - row));
        rows.bytes = source.bytes.subspan(static_cast<std::size_t>(row) * row_bytes, count * row_bytes);
        const auto size = static_cast<std::size_t>(rows.size());
        const index_t first = tensor.first_row + row;
        const bool in_panels = parameter.layout == Layout::panels;
        if (in_panels) buffer.resize(size);
        const std::span<float> floats(in_panels ? buffer.data() : values.data() + parameter.offset + first * columns, size);
        rows.copy_to(floats);
        if (!all_finite(floats)) raise<FormatError>("{}: NaN or infinity given, finite numbers expected", source.name);
        if (in_panels) write_panels(parameter, first, floats, values.data());
        release_pages(rows.bytes);
      }
      if (i + 1 == all.size() || all[i + 1].parameter != tensor.parameter) done(tensor.parameter);  // a parameter's parts are neighbors
    }
  }

 private:
  TensorView source_of(const CheckpointTensor& tensor, const Parameter& parameter) const {
    const TensorView source = find(tensor.name);
    source.require_floats();
    source.require_shape(parameter.vector ? Shape{tensor_columns(tensor, parameter)} : Shape{tensor.rows, parameter.cols});
    return source;
  }
  static index_t tensor_columns(const CheckpointTensor& tensor, const Parameter& p) { return is_part(tensor, p) ? tensor.rows : p.cols; }
  /// A third of the fused bias, which is a vector of 3H.
  static bool is_part(const CheckpointTensor& tensor, const Parameter& p) { return p.vector && tensor.rows != p.rows; }

  /// Rows of a weight, the first of them number `first`, to where its panels lie.
  static void write_panels(const Parameter& p, index_t first, std::span<const float> rows, float* values) {
    const index_t count = std::ssize(rows) / p.cols;
    for (index_t r = 0, lanes = 0; r < count; r += lanes) {
      lanes = std::min(panel_width - (first + r) % panel_width, count - r);
      const float* from = rows.data() + r * p.cols;
      float* to = values + p.at(first + r, 0);
      for (index_t c = 0; c < p.cols; ++c)
        for (index_t lane = 0; lane < lanes; ++lane) to[c * panel_width + lane] = from[lane * p.cols + c];
    }
  }

  static constexpr index_t floats_at_once = index_t{1} << 18;

  TensorView find(const std::string& name) const {
    for (const std::string& spelling : {name, old_style_name(name)})
      if (const auto tensor = tensors_.find(prefix_ + spelling)) return *tensor;
    raise<FormatError>("{}: tensor '{}{}' is missing", name_, prefix_, name);
  }

  std::string name_;
  BertConfig config_;
  SafeTensorsDirectory tensors_;
  std::string prefix_;
};

/// Adds the encoder's tensors to a file in preparation, as checkpoints name and lay them out.  `values` must outlive it.
inline void add_bert_tensors(const BertLayers& layers, const ParameterBlock& values, const std::string& prefix, SafeTensorsWriter& file) {
  for (const auto& tensor : checkpoint_tensors(layers, values.table())) {
    const Parameter& p = values.table()[tensor.parameter];
    if (p.vector) {
      const bool part = tensor.rows != p.rows;
      const auto size = static_cast<std::size_t>(part ? tensor.rows : p.cols);
      file.add(prefix + tensor.name, {static_cast<index_t>(size)}, std::span<const float>(values.data() + p.offset + (part ? tensor.first_row : 0), size));
    } else {
      file.add_rows(prefix + tensor.name, {tensor.rows, p.cols}, [&values, &p, first = tensor.first_row](index_t row, std::span<float> out) {
        for (index_t c = 0; c < p.cols; ++c) out[static_cast<std::size_t>(c)] = values.data()[p.at(first + row, c)];
      });
    }
  }
}

}  // namespace knnbert
