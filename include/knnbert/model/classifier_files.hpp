#pragma once
#include "knnbert/io/directory.hpp"
#include "knnbert/io/parameter_files.hpp"
#include "knnbert/io/require_folder.hpp"
#include "knnbert/model/classifier.hpp"
#include "knnbert/model/fingerprint.hpp"
#include "knnbert/model/function_checksum.hpp"
#include "knnbert/model/network_files.hpp"
#include "knnbert/model/policy_files.hpp"

/// Model directories: what Hugging Face's transformers reads, plus knnbert.json, knnbert.safetensors and
/// datastore.safetensors.
namespace knnbert::inline v0_1 {

namespace detail {

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
  if (is_mlp_head<typename Network::head_type> && !network.options().head_hidden_layer)
    facts.head = &network.head().output();
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
  heads.with_checksum();
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
  CheckpointFacts facts = detail::facts_of(network_, print, single_label() ? *names : task_.outputs);
  if (!single_label()) facts.problem = task_.task == Task::multi_label ? "multi_label_classification" : "regression";
  if (task_.task == Task::regression) facts.value_mean = task_.mean, facts.value_scale = task_.scale;
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
  ModelFile file{.classes = *names,
                 .head_classes = network_.classes(),
                 .head_hidden_layer = options().head_hidden_layer,
                 .head_trained = head_trained_,
                 .normalized = options().normalized,
                 .pooling = network_.pooling(),
                 .feature = options().feature,
                 .projection_width = network_.projection_width(),
                 .neighbors = neighbors_,
                 .max_length = options().max_length,
                 .seed = options().seed,
                 .precision = name_of(options().precision),
                 .fingerprint = print,
                 .function = function_checksum(network_.encoder(), tokenizer_),
                 .decision = decision_,
                 .task = task_};
  detail::put_policy_type<typename Stack::head_type>("head", file);
  detail::put_policy("encoder", network_.encoder(), file);
  detail::put_policy("tokenizer", tokenizer_, file);
  detail::put_policy("metric", network_.metric(), file);
  detail::put_policy_with_settings("fusion", fusion_, file);
  detail::put_policy_with_settings("voting", voting_, file);
  write_model_file(folder / "knnbert.json", file);
  try {  // what load() would refuse must not replace what is there
    const ModelFile again = read_model_file(folder / "knnbert.json");
    auto fusion = fusion_;
    auto voting = voting_;
    detail::take_policy(again, "fusion", "knnbert.json", fusion);
    detail::take_policy(again, "voting", "knnbert.json", voting);
  } catch (const FormatError& error) {
    raise<OptionError>("Classifier::save: settings that load() refuses: {}", std::string_view(error.what()));
  }
  store.save(folder / "datastore.safetensors", print, *names);
  more(folder);
  change.commit("knnbert.json");
}

template <class Stack>
void Classifier<Stack>::save(const std::filesystem::path& directory) const {
  save(DirectoryLock(directory));
}

template <class Stack>
void Classifier<Stack>::save(const DirectoryLock& lock) const {
  save(lock, [](const std::filesystem::path&) {});
}

template <class Stack>
Classifier<Stack> Classifier<Stack>::load(const std::filesystem::path& directory, index_t threads) {
  return load(directory, threads, std::nullopt);
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
  const std::string where = path.string();
  const ModelFile file = read_model_file(path);
  fusion_type fusion;
  voting_type voting;
  detail::take_policy(file, "fusion", where, fusion);
  detail::take_policy(file, "voting", where, voting);
  detail::require_policy(file, "metric", metric_type(), where);
  detail::require_head_type<typename Stack::head_type>(file, where);
  detail::require_policy_type<tokenizer_type>(file, "tokenizer", where);
  detail::require_policy_type<typename Stack::encoder_type>(file, "encoder", where);
  const checkpoint_type checkpoint(directory);
  const ClassifierOptions options{
      .pooling = file.pooling,
      .head_hidden_layer = file.head_hidden_layer,
      .projection_width = file.projection_width,
      .feature = file.feature,
      .neighbors = file.neighbors,
      .max_length = file.max_length,
      .normalized = file.normalized,
      .threads = threads,
      .precision = precision ? *precision : detail::from_file(where, [&] { return precision_from(file.precision); }),
      .seed = file.seed,
      .task = file.task.task,
      .label_separator = file.task.separator,
      .device = device};
  const SafeTensors heads(directory / "knnbert.safetensors");
  heads.require_checksum();
  const auto floats = heads.size() / static_cast<index_t>(sizeof(float));
  if (options.projection_width > floats)  // before memory is taken for what the settings say
    raise<FormatError>("{}: projection_width {} given, at most {} expected", where, options.projection_width, floats);
  network_type network(checkpoint.config(), file.head_classes, options);
  if (!network.encoder().pools(*options.pooling))
    raise<FormatError>("{}: pooling: pooler given, but the encoder has none", where);
  detail::require_within(file.max_length, "max_length", 3, network.encoder().max_length(), where);
  Classifier model(tokenizer_type::load(directory), std::move(network), file.classes, file.task);
  for (const index_t p : detail::head_parameters(model.network_)) read_parameter(heads, p, model.network_.values());
  std::optional<std::string> named;
  if constexpr (requires { checkpoint.fingerprint(); }) named = checkpoint.fingerprint();
  const bool complete = read_encoder(checkpoint, directory, named ? loading : Loading::complete, model.network_);
  if (!complete) heads.require_metadata("fingerprint", *named);
  detail::require_policy(file, "encoder", model.network_.encoder(), where);
  detail::require_policy(file, "tokenizer", model.tokenizer_, where);
  if (const auto own = function_checksum(model.network_.encoder(), model.tokenizer_);
      !file.function.empty() && file.function != own)
    raise<FormatError>(
        "{}: function is {}, {} expected of config.json and the tokenizer's files: the keys were made with others; put "
        "those back, or leave function out here and index the model anew",
        where, file.function, own);
  model.fusion_ = fusion, model.voting_ = voting;
  model.head_trained_ = file.head_trained;
  model.decision_ = file.decision;
  model.datastore_ =
      datastore_type::load(directory / "datastore.safetensors",
                           complete ? fingerprint(std::as_const(model.network_).values()) : *named, file.classes);
  if (const auto& store = model.datastore_; store.width() != model.network_.feature_width())
    raise<FormatError>("{}: tensor 'keys': shape [{}, {}] given, [{}, {}] expected",
                       (directory / "datastore.safetensors").string(), store.size(), store.width(), store.size(),
                       model.network_.feature_width());
  model.origin_.set(model.network_.values());
  model.datastore_to_device();
  model.lower_datastore();
  return model;
}

}  // namespace knnbert::inline v0_1
