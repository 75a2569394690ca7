#pragma once
#include <charconv>

#include "knnbert/config.hpp"
#include "knnbert/core/finite.hpp"
#include "knnbert/encoder/bert_files.hpp"
#include "knnbert/io/parameter_files.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

inline constexpr const char* bert_weights_file = "model.safetensors";

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
    if (prefix.empty() || prefix.ends_with('.')) prefixes.push_back(prefix);
  }
  const auto has = [&](std::string_view prefix) {
    return std::find(prefixes.begin(), prefixes.end(), prefix) != prefixes.end();
  };
  // transformers' models look there and ignore others, but not where both are
  if (has("") != has("bert.")) return has("") ? "" : "bert.";
  if (prefixes.size() == 1) return prefixes.front();
  if (prefixes.empty())
    raise<FormatError>("{}: no tensor {}, with a prefix or without: a BERT checkpoint expected", folder, ending);
  raise<FormatError>("{}: {} encoders given ('{}' and '{}'), one expected", folder, prefixes.size(), prefixes[0],
                     prefixes[1]);
}

/// Refuses the tensors of a family that says of itself by their prefix that it is another one than config.json names.
inline void require_family(const BertFamily& family, const std::string& prefix, const std::string& folder) {
  if (&family != &bert_family) return;  // whose weights would be read without a complaint
  for (const BertFamily* other : bert_families)
    if (other->prefix != std::string_view(family.prefix) && prefix.ends_with(other->prefix))
      raise<FormatError>(
          "{}: tensors of prefix '{}' given, those of a {} expected, as model_type, else architectures, of config.json "
          "says",
          folder, prefix, family.model_type);
}

/// Refuses tensors of layers behind those that config.json announces; first: the name of one of the next layer.
inline void require_no_layer_behind(const SafeTensorsDirectory& tensors, const std::string& first, index_t layers,
                                    const std::string& folder) {
  const auto number = std::to_string(layers);
  const auto beginning = first.substr(0, first.rfind("." + number + ".") + 1);
  for (const std::string& name : tensors.names()) {
    index_t layer = 0;
    if (name.starts_with(beginning) &&
        std::from_chars(name.data() + beginning.size(), name.data() + name.size(), layer).ec == std::errc() &&
        layer >= layers)
      raise<FormatError>("{}: tensor '{}' given, layers 0 to {} expected: num_hidden_layers of config.json is {}",
                         folder, name, layers - 1, layers);
  }
}

/// Whether transformers' sequence classifier computes the same logits: one linear layer over the pooler's output.
inline bool is_sequence_classifier(const CheckpointFacts& facts) {
  return facts.head && facts.pooling == Pooling::pooler;
}

/// The head of standardized values as metadata names it, empty for any other: the classifier is written for the values.
inline std::string standardization_of(const CheckpointFacts& facts) {
  if (!is_sequence_classifier(facts) || (facts.value_mean == 0 && facts.value_scale == 1)) return {};
  return format("{} {}", facts.value_mean, facts.value_scale);
}

/// Adds a linear layer whose outputs are mean + scale * those of the parameters. `bias` must outlive the file.
inline void add_scaled(const ParameterBlock& values, const Linear& layer, float mean, float scale,
                       const std::string& name, std::vector<float>& bias, SafeTensorsWriter& file) {
  const auto scaled = [scale](float value, float offset) {
    return static_cast<float>(double{offset} + double{scale} * double{value});
  };
  const Parameter &w = values.table()[layer.weight], &b = values.table()[layer.bias];
  file.add_rows(name + "weight", {w.rows, w.cols}, [&values, &w, scaled](index_t row, std::span<float> out) {
    for (index_t c = 0; c < w.cols; ++c) out[static_cast<std::size_t>(c)] = scaled(values.data()[w.at(row, c)], 0);
  });
  for (index_t c = 0; c < b.cols; ++c) bias.push_back(scaled(values.data()[b.offset + c], mean));
  file.add(name + "bias", {b.cols}, std::span<const float>(bias));
}

/// Rows of a weight, the first of them number `first`, to where its panels lie.
inline void write_panels(const Parameter& p, index_t first, std::span<const float> rows, float* values) {
  const index_t count = std::ssize(rows) / p.cols;
  for (index_t r = 0, lanes = 0; r < count; r += lanes) {
    lanes = std::min(panel_width - (first + r) % panel_width, count - r);
    const float* from = rows.data() + r * p.cols;
    float* to = values + p.at(first + r, 0);
    for (index_t c = 0; c < p.cols; ++c)
      for (index_t lane = 0; lane < lanes; ++lane) to[c * panel_width + lane] = from[lane * p.cols + c];
  }
}

}  // namespace detail

KNNBERT_INLINE void add_bert_tensors(const BertLayers& layers, const ParameterBlock& values, const std::string& prefix,
                                     SafeTensorsWriter& file, const BertFamily& family) {
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

KNNBERT_INLINE BertCheckpoint::BertCheckpoint(const std::filesystem::path& folder)
    : name_(folder.string()), config_(read_bert_config(folder)), tensors_(folder),
      prefix_(detail::checkpoint_prefix(tensors_, name_)) {
  detail::require_family(*config_.family, prefix_, name_);
  const BertFamily& family = *config_.family;
  const auto has = [&](const std::string& layer) { return tensors_.find(layer + "weight").has_value(); };
  if (*family.classifier_pooler && !has(prefix_ + "pooler.dense.") && has(family.classifier))
    pooler_prefix_ = family.classifier_pooler;
  config_.pooler = config_.pooler && has(pooler_prefix_.empty() ? prefix_ + "pooler.dense." : pooler_prefix_);
  const index_t layers_given = config_.num_hidden_layers;
  find(format("encoder.layer.{}.output.dense.weight", layers_given - 1));
  const auto behind = config_.family->name_of(format("encoder.layer.{}.output.dense.weight", layers_given));
  detail::require_no_layer_behind(tensors_, prefix_ + behind, layers_given, name_);
  ParameterTable table;
  BertLayers layers = BertLayers::declare_dense(config_, table);
  layers.declare_lookup(config_, table);
  for (const auto& tensor : checkpoint_tensors(layers, table)) source_of(tensor, table[tensor.parameter]);
}

KNNBERT_INLINE void BertCheckpoint::fill(const CheckpointTensor& tensor, ParameterBlock& values,
                                         std::vector<float>& buffer) const {
  constexpr index_t floats_at_once = index_t{1} << 18;
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
    const std::span<float> floats(in_panels ? buffer.data() : values.data() + parameter.offset + first * columns, size);
    rows.copy_to(floats);
    if (!all_finite(floats)) raise<FormatError>("{}: NaN or infinity given, finite numbers expected", source.name);
    if (in_panels) detail::write_panels(parameter, first, floats, values.data());
    release_pages(rows.bytes);
  }
}

KNNBERT_INLINE void BertCheckpoint::write_settings_of(const BertConfig& config, const CheckpointFacts& facts,
                                                      const std::filesystem::path& folder) {
  write_bert_config(folder, config,
                    BertClassifier{.classes = facts.classes,
                                   .sequence_classifier = detail::is_sequence_classifier(facts),
                                   .problem = facts.problem});
  write_sentence_settings(folder, config.hidden_size, facts.pooling, facts.max_length, facts.normalized);
}

KNNBERT_INLINE void BertCheckpoint::write_weights_of(const BertLayers& layers, const BertFamily& family,
                                                     const ParameterBlock& values, const CheckpointFacts& facts,
                                                     const std::filesystem::path& folder) {
  SafeTensorsWriter file;
  std::vector<float> bias;
  const bool sequence = detail::is_sequence_classifier(facts);
  add_bert_tensors(layers, values, sequence ? family.prefix : "", file, family);
  if (sequence) {
    const auto add = [&](const Linear& layer, const std::string& name) {
      add_parameter(values, layer.weight, name + "weight", file);
      add_parameter(values, layer.bias, name + "bias", file);
    };
    const auto standardization = detail::standardization_of(facts);
    if (standardization.empty()) add(*facts.head, family.classifier);
    else detail::add_scaled(values, *facts.head, facts.value_mean, facts.value_scale, family.classifier, bias, file);
    if (!standardization.empty()) file.metadata("standardization", standardization);
    if (*family.classifier_pooler) add(layers.pooler, family.classifier_pooler);
  }
  file.metadata("format", "pt").metadata("fingerprint", facts.fingerprint);
  file.with_checksum();
  file.write(folder / detail::bert_weights_file);
}

KNNBERT_INLINE bool BertCheckpoint::holds_weights(const CheckpointFacts& facts, const std::filesystem::path& folder) {
  const auto path = folder / detail::bert_weights_file;
  if (!has_metadata(path, {{"fingerprint", facts.fingerprint}})) return false;
  const SafeTensors file(path);
  const bool sequence = file.find("classifier.weight") || file.find("classifier.out_proj.weight");
  const auto known = file.metadata().find("standardization");
  return sequence == detail::is_sequence_classifier(facts) &&
         (known == file.metadata().end() ? "" : known->second) == detail::standardization_of(facts);
}

KNNBERT_INLINE TensorView BertCheckpoint::source_of(const CheckpointTensor& tensor, const Parameter& parameter) const {
  // a third of the fused bias, which is a vector of 3H, or all of a parameter
  const index_t columns = parameter.vector && tensor.rows != parameter.rows ? tensor.rows : parameter.cols;
  const TensorView source = find(tensor.name);
  source.require_floats();
  source.require_shape(parameter.vector ? Shape{columns} : Shape{tensor.rows, parameter.cols});
  return source;
}

KNNBERT_INLINE TensorView BertCheckpoint::find(const std::string& bert_name) const {
  const std::string name = config_.family->name_of(bert_name);
  constexpr std::string_view pooler = "pooler.dense.";
  if (!pooler_prefix_.empty() && bert_name.starts_with(pooler))
    return tensors_.at(pooler_prefix_ + bert_name.substr(pooler.size()));
  for (const std::string& spelling : {name, old_style_name(name)})
    if (const auto tensor = tensors_.find(prefix_ + spelling)) return *tensor;
  raise<FormatError>("{}: tensor '{}{}' is missing", name_, prefix_, name);
}

}  // namespace knnbert::inline v0_1
