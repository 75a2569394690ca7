#pragma once
#include "knnbert/io/directory.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/model/classifier.hpp"
#include "knnbert/model/fingerprint.hpp"
#include "knnbert/model/network_files.hpp"
#include "knnbert/model/policy_files.hpp"

/// Model directories: what Hugging Face's transformers reads, plus knnbert.json, knnbert.safetensors and
/// datastore.safetensors.
namespace knnbert {

inline constexpr index_t model_schema = 1;

namespace detail {

inline constexpr std::pair<Pooling, const char*> pooling_names[] = {{Pooling::pooler, "pooler"}, {Pooling::cls, "cls"}, {Pooling::mean, "mean"}};
inline constexpr std::pair<bool, const char*> head_names[] = {{true, "mlp"}, {false, "linear"}};  // with a hidden layer or not
inline constexpr std::pair<Feature, const char*> feature_names[] = {{Feature::contrastive, "contrastive"}, {Feature::embedding, "embedding"}};

template <class Names>
std::string name_in(const Names& names, auto value) {
  for (const auto& [known, name] : names)
    if (known == value) return name;
  return {};
}
template <class Names>
auto value_in(const Names& names, const std::string& name, std::string_view where) {
  std::string expected;
  for (const auto& [value, known] : names) {
    if (known == name) return value;
    expected += (expected.empty() ? "" : ", ") + std::string(known);
  }
  raise<FormatError>("{}: '{}' given, one of {} expected", where, name, expected);
}
/// The value that a key of a file names.
template <class Names>
auto value_of(const Json& json, const char* key, const Names& names, const std::string& where) {
  return value_in(names, require<std::string>(json, key, where), format("{}: {}", where, key));
}

/// A whole number of a file.
inline index_t number_within(const Json& json, const char* key, index_t least, index_t most, const std::string& where) {
  const auto value = require<index_t>(json, key, where);
  if (value < least || value > most) raise<FormatError>("{}: {}: {} given, {} to {} expected", where, key, value, least, most);
  return value;
}

/// f(), whose objections to an option are to a file here.
template <class F>
auto from_file(const std::string& where, F&& f) {
  try {
    return f();
  } catch (const OptionError& error) {
    raise<FormatError>("{}: {}", where, std::string_view(error.what()));
  }
}

/// The heads as tensors named like their parameters.
template <class Network>
std::vector<index_t> head_parameters(const Network& network) {
  std::vector<index_t> found;
  const auto& table = network.values().table();
  for (index_t p = 0; p < table.count(); ++p)
    if (table[p].name.starts_with("classifier.") || table[p].name.starts_with("projection.")) found.push_back(p);
  return found;
}

inline void add_parameter(const ParameterBlock& values, index_t number, const std::string& name, SafeTensorsWriter& file) {
  const Parameter& p = values.table()[number];
  const auto fill = [&values, &p](index_t row, std::span<float> out) {
    for (index_t c = 0; c < p.cols; ++c) out[static_cast<std::size_t>(c)] = values.data()[p.at(row, c)];
  };
  if (p.vector) file.add(name, {p.cols}, std::span<const float>(values.data() + p.offset, static_cast<std::size_t>(p.cols)));
  else file.add_rows(name, {p.rows, p.cols}, fill);
}

inline void read_parameter(const SafeTensors& file, index_t number, ParameterBlock& values) {
  const Parameter& p = values.table()[number];
  const TensorView tensor = file.at(p.name);
  tensor.require_shape(p.vector ? Shape{p.cols} : Shape{p.rows, p.cols});
  const auto floats = tensor.as_floats();
  if (!all_finite(floats)) raise<FormatError>("{}: NaN or infinity given, finite numbers expected", tensor.name);
  values.write(number, ConstView(floats.data(), p.rows, p.cols));
}

/// True if transformers' sequence classifier computes the same logits: pooler output and one linear layer.
template <class Network>
bool is_sequence_classifier(const Network& network) {
  return !network.options().head_hidden_layer && network.pooling() == Pooling::pooler;
}

/// Whether a file says of itself what a writer of safetensors would say: then it need not be written again.
inline bool has_metadata(const std::filesystem::path& path, const std::map<std::string, std::string>& expected) {
  try {
    const SafeTensors file(path);
    return std::includes(file.metadata().begin(), file.metadata().end(), expected.begin(), expected.end());
  } catch (const Error&) {  // none there, or none that could be kept
    return false;
  }
}

/// Whether a directory holds these weights already.
template <class Network>
bool holds_weights(const std::filesystem::path& directory, const Network& network, const std::string& print) {
  for (const char* name : {"model.safetensors", "knnbert.safetensors"})
    if (!has_metadata(directory / name, {{"fingerprint", print}})) return false;
  return SafeTensors(directory / "model.safetensors").find("classifier.weight").has_value() == is_sequence_classifier(network);
}

template <class Network>
void write_weights(const Network& network, const std::string& print, const std::filesystem::path& folder) {
  SafeTensorsWriter file;
  const bool sequence = is_sequence_classifier(network);
  add_bert_tensors(network.encoder().layers(), network.values(), sequence ? "bert." : "", file);
  if (sequence) {
    add_parameter(network.values(), network.head().output().weight, "classifier.weight", file);
    add_parameter(network.values(), network.head().output().bias, "classifier.bias", file);
  }
  file.metadata("format", "pt").metadata("fingerprint", print);
  file.write(folder / "model.safetensors");
  SafeTensorsWriter heads;
  for (const index_t p : head_parameters(network)) add_parameter(network.values(), p, network.values().table()[p].name, heads);
  heads.metadata("fingerprint", print);
  heads.write(folder / "knnbert.safetensors");
}

template <class Network>
OrderedJson label_names(const Network& network, const std::vector<std::string>& names) {
  OrderedJson forward = OrderedJson::object(), backward = OrderedJson::object();
  for (index_t c = 0; c < network.classes(); ++c) {
    forward[std::to_string(c)] = names[static_cast<std::size_t>(c)];
    backward[names[static_cast<std::size_t>(c)]] = c;
  }
  OrderedJson fields{{"id2label", forward}, {"label2id", backward}};
  if (is_sequence_classifier(network)) fields["architectures"] = {"BertForSequenceClassification"};
  return fields;
}

}  // namespace detail

template <class Stack>
template <class More>
void Classifier<Stack>::save(const DirectoryLock& lock, More&& more) const {
  require_current("Classifier::save");
  const datastore_type store = datastore_;  // examples and classes may arrive meanwhile: every label in it has a name
  const auto names = classes();
  const std::string print = fingerprint(network_.values());
  DirectoryChange change(lock);
  const auto& folder = change.folder();
  const bool lowers = LowersWeights<typename Stack::encoder_type> && options().precision != Precision::fp32;
  if (!detail::holds_weights(lock.directory(), network_, print)) detail::write_weights(network_, print, folder);
  if constexpr (LowersWeights<typename Stack::encoder_type>) {
    const std::map<std::string, std::string> own{{"fingerprint", print}, {"precision", name_of(options().precision)}};
    if (lowers && !detail::has_metadata(lock.directory() / lowered_file, own))
      write_lowered(network_.encoder().layers(), network_.values(), print, folder / lowered_file);
  }
  if (!lowers) change.remove(lowered_file);
  write_bert_config(folder, network_.encoder().config(), detail::label_names(network_, *names));
  write_sentence_settings(folder, network_.encoder().config(), network_.pooling(), options().max_length, options().normalized);
  tokenizer_.save(folder);
  OrderedJson json{{"schema", model_schema},
                   {"classes", *names},
                   {"head_classes", network_.classes()},
                   {"head", detail::name_in(detail::head_names, options().head_hidden_layer)},
                   {"pooling", detail::name_in(detail::pooling_names, network_.pooling())},
                   {"feature", detail::name_in(detail::feature_names, options().feature)},
                   {"projection_width", network_.projection_width()},
                   {"neighbors", neighbors_},
                   {"max_length", options().max_length},
                   {"normalized", options().normalized},
                   {"seed", options().seed},
                   {"precision", name_of(options().precision)},
                   {"fingerprint", print}};
  json["head_trained"] = head_trained_;
  json["encoder"] = policy_name(network_.encoder());
  json["tokenizer"] = policy_name(tokenizer_);
  json["metric"] = policy_name(network_.metric());
  detail::write_policy(json, "fusion", fusion_);
  detail::write_policy(json, "voting", voting_);
  write_json(folder / "knnbert.json", json);
  store.save(folder / "datastore.safetensors", print, *names);
  more(folder);
  change.commit("knnbert.json");
}

template <class Stack>
Classifier<Stack> Classifier<Stack>::load(const std::filesystem::path& directory, index_t threads, std::optional<Precision> precision, Loading loading, const std::string& device) {
  return read_unchanged(directory, "knnbert.json", [&] { return load_once(directory, threads, precision, loading, device); });
}

template <class Stack>
Classifier<Stack> Classifier<Stack>::load_once(const std::filesystem::path& directory, index_t threads, std::optional<Precision> precision, Loading loading,
                                               const std::string& device) {
  require_folder(directory, "a model directory");
  const auto path = directory / "knnbert.json";
  const Json json = read_json(path);
  const std::string where = path.string();
  if (const auto schema = require<index_t>(json, "schema", where); schema != model_schema)
    raise<FormatError>("{}: schema {} given, {} expected", where, schema, model_schema);
  const BertCheckpoint checkpoint(directory);
  constexpr index_t unlimited = std::numeric_limits<index_t>::max();
  const ClassifierOptions options{.pooling = detail::value_of(json, "pooling", detail::pooling_names, where),
                                  .head_hidden_layer = detail::value_of(json, "head", detail::head_names, where),
                                  .projection_width = detail::number_within(json, "projection_width", 0, unlimited, where),
                                  .feature = detail::value_of(json, "feature", detail::feature_names, where),
                                  .neighbors = detail::number_within(json, "neighbors", 1, unlimited, where),
                                  .max_length = detail::number_within(json, "max_length", 3, checkpoint.config().max_position_embeddings, where),
                                  .normalized = optional_value(json, "normalized", false, where),
                                  .threads = threads,
                                  .precision = detail::from_file(where, [&] { return precision ? *precision : precision_from(optional_value<std::string>(json, "precision", "fp32", where)); }),
                                  .seed = require<std::uint64_t>(json, "seed", where),
                                  .device = device};
  if (options.pooling == Pooling::pooler && !checkpoint.config().pooler) raise<FormatError>("{}: pooling: pooler given, but the encoder has none", where);
  const auto names = require<std::vector<std::string>>(json, "classes", where);
  detail::from_file(where + ": classes", [&] { return ClassNames(names); });
  const auto head_classes = require<index_t>(json, "head_classes", where);
  if (head_classes < 1 || head_classes > std::ssize(names))
    raise<FormatError>("{}: head_classes {} given, 1 to {} expected", where, head_classes, names.size());
  const SafeTensors heads(directory / "knnbert.safetensors");
  const auto floats = heads.size() / static_cast<index_t>(sizeof(float));
  if (options.projection_width > floats)  // before memory is taken for what the settings say
    raise<FormatError>("{}: projection_width {} given, at most {} expected", where, options.projection_width, floats);
  Classifier model(tokenizer_type::load(directory), network_type(checkpoint.config(), head_classes, options), names);
  for (const index_t p : detail::head_parameters(model.network_)) detail::read_parameter(heads, p, model.network_.values());
  const auto named = checkpoint.tensors().metadata("fingerprint");
  const bool complete = read_encoder(checkpoint, directory, named ? loading : Loading::complete, model.network_);
  detail::require_policy(json, "encoder", policy_name(model.network_.encoder()), where);
  detail::require_policy(json, "tokenizer", policy_name(model.tokenizer_), where);
  detail::require_policy(json, "metric", policy_name(model.network_.metric()), where);
  detail::read_policy(json, "fusion", where, model.fusion_);
  detail::read_policy(json, "voting", where, model.voting_);
  model.head_trained_ = optional_value<bool>(json, "head_trained", true, where);
  model.datastore_ = datastore_type::load(directory / "datastore.safetensors", complete ? fingerprint(std::as_const(model.network_).values()) : *named, names);
  model.origin_.set(model.network_.values());
  model.place_datastore();
  model.lower_datastore();
  return model;
}

}  // namespace knnbert
