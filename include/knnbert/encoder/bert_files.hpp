#pragma once
#include "knnbert/core/finite.hpp"
#include "knnbert/encoder/bert_config_files.hpp"
#include "knnbert/encoder/bert_names.hpp"
#include "knnbert/encoder/concept.hpp"
#include "knnbert/encoder/sentence_settings.hpp"
#include "knnbert/io/parameter_files.hpp"
#include "knnbert/io/safetensors_directory.hpp"

/// Encoders of BERT's families in Hugging Face directories: config.json and model.safetensors, single or sharded.
namespace knnbert {

namespace detail {

/// Prefix of the encoder's tensors in a checkpoint of a larger model, such as "bert." or "0.auto_model.".
inline std::string checkpoint_prefix(const SafeTensorsDirectory& tensors, const std::string& folder) {
  constexpr std::string_view ending = "embeddings.word_embeddings.weight";
  std::vector<std::string> prefixes;
  for (const std::string& name : tensors.names()) {
    if (name.find(".lora_") != name.npos)
      raise<FormatError>("{}: tensor '{}' of an adapter given, weights that an adapter was merged into expected",
                         folder, name);
    if (!name.ends_with(ending)) continue;
    const auto prefix = name.substr(0, name.size() - ending.size());
    if (prefix.empty() || prefix == "bert.") return prefix;
    if (prefix.ends_with('.')) prefixes.push_back(prefix);
  }
  if (prefixes.size() == 1) return prefixes.front();
  if (prefixes.empty())
    raise<FormatError>("{}: no tensor {}, with a prefix or without: a BERT checkpoint expected", folder, ending);
  raise<FormatError>("{}: {} encoders given ('{}' and '{}'), one expected", folder, prefixes.size(), prefixes[0],
                     prefixes[1]);
}

}  // namespace detail

/// Adds the encoder's tensors to a file in preparation, as checkpoints of a family name and lay them out. `values` must
/// outlive it.
inline void add_bert_tensors(const BertLayers& layers, const ParameterBlock& values, const std::string& prefix,
                             SafeTensorsWriter& file, const BertFamily& family = bert_family) {
  for (const auto& tensor : checkpoint_tensors(layers, values.table())) {
    const Parameter& p = values.table()[tensor.parameter];
    const std::string name = prefix + family.name_of(tensor.name);
    if (p.vector) {
      const bool part = tensor.rows != p.rows;
      const auto size = static_cast<std::size_t>(part ? tensor.rows : p.cols);
      const float* first = values.data() + p.offset + (part ? tensor.first_row : 0);
      file.add(name, {static_cast<index_t>(size)}, std::span<const float>(first, size));
    } else {
      file.add_rows(name, {tensor.rows, p.cols},
                    [&values, &p, first = tensor.first_row](index_t row, std::span<float> out) {
                      for (index_t c = 0; c < p.cols; ++c)
                        out[static_cast<std::size_t>(c)] = values.data()[p.at(first + row, c)];
                    });
    }
  }
}

/// An opened checkpoint: its shape at once, its values when a block asks for them. The file stays mapped meanwhile.
/// That it has every tensor in the configured shape is checked when it is opened, before memory is taken for values.
class BertCheckpoint {
 public:
  /// Errors: IoError, FormatError.
  explicit BertCheckpoint(const std::filesystem::path& folder)
      : name_(folder.string()), config_(read_bert_config(folder)), tensors_(folder),
        prefix_(detail::checkpoint_prefix(tensors_, name_)) {
    config_.pooler = config_.pooler && tensors_.find(prefix_ + "pooler.dense.weight").has_value();
    find(format("encoder.layer.{}.output.dense.weight", config_.num_hidden_layers - 1));
    ParameterTable table;
    BertLayers layers = BertLayers::declare_dense(config_, table);
    layers.declare_lookup(config_, table);
    for (const auto& tensor : checkpoint_tensors(layers, table)) source_of(tensor, table[tensor.parameter]);
  }

  const BertConfig& config() const { return config_; }
  const SafeTensorsDirectory& tensors() const { return tensors_; }

  /// What save() wrote of all parameters; none in checkpoints of others.
  std::optional<std::string> fingerprint() const { return tensors_.metadata("fingerprint"); }

  /// Fills the encoder's parameters; F16, BF16 and F64 are converted. Tensors nobody asks for (position_ids, other
  /// heads) are ignored, whatever their type.  Errors: FormatError for a number that is not finite; the block may then
  /// be partly written.
  template <class Encoder>
  void read(const Encoder& encoder, ParameterBlock& values) const {
    read(
        encoder, values, [](index_t) { return true; }, [](index_t) {});
  }
  /// The same for the parameters that `wants` names; done(parameter) is called behind each.
  template <class Encoder, class Wants, class Done>
  void read(const Encoder& encoder, ParameterBlock& values, Wants&& wants, Done&& done) const {
    std::vector<float> buffer;
    const auto all = checkpoint_tensors(encoder.layers(), values.table());
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto& tensor = all[i];
      if (!wants(tensor.parameter)) continue;
      const auto& parameter = values.table()[tensor.parameter];
      const TensorView source = source_of(tensor, parameter);
      const index_t columns = source.size() / tensor.rows, group = std::max<index_t>(1, floats_at_once / columns);
      for (index_t row = 0; row < tensor.rows; row += group) {  // one tensor, the token embeddings, is half of a small
                                                                // model
        TensorView rows = source;
        const auto row_bytes = source.bytes.size() / static_cast<std::size_t>(tensor.rows);
        const auto count = static_cast<std::size_t>(std::min(group, tensor.rows - row));
        rows.bytes = source.bytes.subspan(static_cast<std::size_t>(row) * row_bytes, count * row_bytes);
        const auto size = static_cast<std::size_t>(rows.size());
        const index_t first = tensor.first_row + row;
        const bool in_panels = parameter.layout == Layout::panels;
        if (in_panels) buffer.resize(size);
        const std::span<float> floats(in_panels ? buffer.data() : values.data() + parameter.offset + first * columns,
                                      size);
        rows.copy_to(floats);
        if (!all_finite(floats)) raise<FormatError>("{}: NaN or infinity given, finite numbers expected", source.name);
        if (in_panels) write_panels(parameter, first, floats, values.data());
        release_pages(rows.bytes);
      }
      // a parameter's parts are neighbors
      if (i + 1 == all.size() || all[i + 1].parameter != tensor.parameter) done(tensor.parameter);
    }
  }

  /// Writes config.json and what sentence-transformers reads.  Errors: IoError.
  template <class Encoder>
  static void write_settings(const Encoder& encoder, const CheckpointFacts& facts,
                             const std::filesystem::path& folder) {
    const BertConfig& config = encoder.config();
    OrderedJson labels{{"id2label", OrderedJson::object()}, {"label2id", OrderedJson::object()}};
    for (std::size_t c = 0; c < facts.classes.size(); ++c) {
      labels["id2label"][std::to_string(c)] = facts.classes[c];
      labels["label2id"][facts.classes[c]] = c;
    }
    if (is_sequence_classifier(facts)) labels["architectures"] = {config.family->sequence_architecture};
    write_bert_config(folder, config, labels);
    write_sentence_settings(folder, config.hidden_size, facts.pooling, facts.max_length, facts.normalized);
  }

  /// Writes model.safetensors; where transformers has a classifier that gives the same logits, with the head.  Errors:
  /// IoError.
  template <class Encoder>
  static void write_weights(const Encoder& encoder, const ParameterBlock& values, const CheckpointFacts& facts,
                            const std::filesystem::path& folder) {
    SafeTensorsWriter file;
    const BertFamily& family = *encoder.config().family;
    const bool sequence = is_sequence_classifier(facts);
    add_bert_tensors(encoder.layers(), values, sequence ? family.prefix : "", file, family);
    if (sequence) {
      add_parameter(values, facts.head->weight, "classifier.weight", file);
      add_parameter(values, facts.head->bias, "classifier.bias", file);
    }
    file.metadata("format", "pt").metadata("fingerprint", facts.fingerprint);
    file.write(folder / weights_file);
  }

  /// Whether the folder holds these weights already.
  static bool holds_weights(const CheckpointFacts& facts, const std::filesystem::path& folder) {
    const auto path = folder / weights_file;
    return has_metadata(path, {{"fingerprint", facts.fingerprint}}) &&
           SafeTensors(path).find("classifier.weight").has_value() == is_sequence_classifier(facts);
  }

 private:
  static constexpr const char* weights_file = "model.safetensors";

  /// Whether transformers' sequence classifier computes the same logits: one linear layer over the pooler's output,
  /// which only BERT has.
  static bool is_sequence_classifier(const CheckpointFacts& facts) {
    return facts.head && facts.pooling == Pooling::pooler;
  }

  TensorView source_of(const CheckpointTensor& tensor, const Parameter& parameter) const {
    const TensorView source = find(tensor.name);
    source.require_floats();
    source.require_shape(parameter.vector ? Shape{tensor_columns(tensor, parameter)}
                                          : Shape{tensor.rows, parameter.cols});
    return source;
  }
  static index_t tensor_columns(const CheckpointTensor& tensor, const Parameter& p) {
    return is_part(tensor, p) ? tensor.rows : p.cols;
  }
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

  TensorView find(const std::string& bert_name) const {
    const std::string name = config_.family->name_of(bert_name);
    for (const std::string& spelling : {name, old_style_name(name)})
      if (const auto tensor = tensors_.find(prefix_ + spelling)) return *tensor;
    raise<FormatError>("{}: tensor '{}{}' is missing", name_, prefix_, name);
  }

  std::string name_;
  BertConfig config_;
  SafeTensorsDirectory tensors_;
  std::string prefix_;
};

}  // namespace knnbert
