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

inline constexpr std::pair<Pooling, const char*> pooling_names[] = {
    {Pooling::pooler, "pooler"}, {Pooling::cls, "cls"}, {Pooling::mean, "mean"}};
// with a hidden layer or not
inline constexpr std::pair<bool, const char*> head_names[] = {{true, "mlp"}, {false, "linear"}};
inline constexpr std::pair<Feature, const char*> feature_names[] = {{Feature::contrastive, "contrastive"},
                                                                    {Feature::embedding, "embedding"}};

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
  if (value < least || value > most)
    raise<FormatError>("{}: {}: {} given, {} to {} expected", where, key, value, least, most);
  return value;
}

/// f(), whose objections to an option are to a file here.
template <class F>
auto from_file(const std::string& where, F&& f) {
  try {
    return f();
  } catch (const OptionError& error) { raise<FormatError>("{}: {}", where, std::string_view(error.what())); }
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

/// What an encoder's files are told of the classifier around it.
template <class Network>
CheckpointFacts facts_of(const Network& network, const std::string& print, const std::vector<std::string>& names) {
  CheckpointFacts facts{.fingerprint = print,
                        .pooling = network.pooling(),
                        .max_length = network.options().max_length,
                        .normalized = network.options().normalized};
  facts.classes.assign(names.begin(), names.begin() + network.classes());
  if (!network.options().head_hidden_layer) facts.head = &network.head().output();
  return facts;
}

/// Writes the weights that a directory does not hold yet.
template <class Network>
void write_weights(const Network& network, const CheckpointFacts& facts, const std::filesystem::path& directory,
                   const std::filesystem::path& folder) {
  using Checkpoint = typename Network::encoder_type::checkpoint_type;
  if constexpr (requires { Checkpoint::holds_weights(facts, directory); })
    if (Checkpoint::holds_weights(facts, directory) &&
        has_metadata(directory / "knnbert.safetensors", {{"fingerprint", facts.fingerprint}}))
      return;
  Checkpoint::write_weights(network.encoder(), network.values(), facts, folder);
  SafeTensorsWriter heads;
  for (const index_t p : head_parameters(network))
    add_parameter(network.values(), p, network.values().table()[p].name, heads);
  heads.metadata("fingerprint", facts.fingerprint);
  heads.write(folder / "knnbert.safetensors");
}

}  // namespace detail

template <class Stack>
template <class More>
void Classifier<Stack>::save(const DirectoryLock& lock, More&& more) const {
  static_assert(
      StoredDatastore<datastore_type>,
      "Stack::datastore_type<metric_type>: a StoredDatastore expected for saving, as datastore/concept.hpp says");
  require_current("Classifier::save");
  const datastore_type store = datastore_;  // examples and classes may arrive meanwhile: every label in it has a name
  const auto names = classes();
  const std::string print = fingerprint(network_.values());
  DirectoryChange change(lock);
  const auto& folder = change.folder();
  const bool lowers = LowersWeights<typename Stack::encoder_type> && options().precision != Precision::fp32;
  const CheckpointFacts facts = detail::facts_of(network_, print, *names);
  detail::write_weights(network_, facts, lock.directory(), folder);
  if constexpr (LowersWeights<typename Stack::encoder_type>) {
    const std::map<std::string, std::string> own{{"fingerprint", print}, {"precision", name_of(options().precision)}};
    if (lowers && !has_metadata(lock.directory() / lowered_file, own))
      write_lowered(network_.encoder().lowered_layers(), network_.values(), print, folder / lowered_file);
  }
  if (!lowers) change.remove(lowered_file);
  if constexpr (requires { checkpoint_type::write_settings(network_.encoder(), facts, folder); })
    checkpoint_type::write_settings(network_.encoder(), facts, folder);
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
Classifier<Stack> Classifier<Stack>::load(const std::filesystem::path& directory, index_t threads,
                                          std::optional<Precision> precision, Loading loading,
                                          const std::string& device) {
  return read_unchanged(directory, "knnbert.json",
                        [&] { return load_once(directory, threads, precision, loading, device); });
}

template <class Stack>
Classifier<Stack> Classifier<Stack>::load_once(const std::filesystem::path& directory, index_t threads,
                                               std::optional<Precision> precision, Loading loading,
                                               const std::string& device) {
  static_assert(
      StoredDatastore<datastore_type>,
      "Stack::datastore_type<metric_type>: a StoredDatastore expected for loading, as datastore/concept.hpp says");
  require_folder(directory, "a model directory");
  const auto path = directory / "knnbert.json";
  const Json json = read_json(path);
  const std::string where = path.string();
  if (const auto schema = require<index_t>(json, "schema", where); schema != model_schema)
    raise<FormatError>("{}: schema {} given, {} expected", where, schema, model_schema);
  const checkpoint_type checkpoint(directory);
  constexpr index_t unlimited = std::numeric_limits<index_t>::max();
  const ClassifierOptions options{
      .pooling = detail::value_of(json, "pooling", detail::pooling_names, where),
      .head_hidden_layer = detail::value_of(json, "head", detail::head_names, where),
      .projection_width = detail::number_within(json, "projection_width", 0, unlimited, where),
      .feature = detail::value_of(json, "feature", detail::feature_names, where),
      .neighbors = detail::number_within(json, "neighbors", 1, unlimited, where),
      .max_length = require<index_t>(json, "max_length", where),
      .normalized = optional_value(json, "normalized", false, where),
      .threads = threads,
      .precision = detail::from_file(where,
                                     [&] {
                                       return precision ? *precision
                                                        : precision_from(optional_value<std::string>(json, "precision",
                                                                                                     "fp32", where));
                                     }),
      .seed = require<std::uint64_t>(json, "seed", where),
      .device = device};
  const auto names = require<std::vector<std::string>>(json, "classes", where);
  detail::from_file(where + ": classes", [&] { return ClassNames(names); });
  const auto head_classes = require<index_t>(json, "head_classes", where);
  if (head_classes < 1 || head_classes > std::ssize(names))
    raise<FormatError>("{}: head_classes {} given, 1 to {} expected", where, head_classes, names.size());
  const SafeTensors heads(directory / "knnbert.safetensors");
  const auto floats = heads.size() / static_cast<index_t>(sizeof(float));
  if (options.projection_width > floats)  // before memory is taken for what the settings say
    raise<FormatError>("{}: projection_width {} given, at most {} expected", where, options.projection_width, floats);
  network_type network(checkpoint.config(), head_classes, options);
  if (!network.encoder().pools(*options.pooling))
    raise<FormatError>("{}: pooling: pooler given, but the encoder has none", where);
  detail::number_within(json, "max_length", 3, network.encoder().max_length(), where);
  Classifier model(tokenizer_type::load(directory), std::move(network), names);
  for (const index_t p : detail::head_parameters(model.network_)) read_parameter(heads, p, model.network_.values());
  std::optional<std::string> named;
  if constexpr (requires { checkpoint.fingerprint(); }) named = checkpoint.fingerprint();
  const bool complete = read_encoder(checkpoint, directory, named ? loading : Loading::complete, model.network_);
  detail::require_policy(json, "encoder", policy_name(model.network_.encoder()), where);
  detail::require_policy(json, "tokenizer", policy_name(model.tokenizer_), where);
  detail::require_policy(json, "metric", policy_name(model.network_.metric()), where);
  detail::read_policy(json, "fusion", where, model.fusion_);
  detail::read_policy(json, "voting", where, model.voting_);
  model.head_trained_ = optional_value<bool>(json, "head_trained", true, where);
  model.datastore_ =
      datastore_type::load(directory / "datastore.safetensors",
                           complete ? fingerprint(std::as_const(model.network_).values()) : *named, names);
  model.origin_.set(model.network_.values());
  model.place_datastore();
  model.lower_datastore();
  return model;
}

}  // namespace knnbert
