#pragma once
#include "knnbert/model/classifier.hpp"

/// A classifier's parts and its examples: what Classifier declares.
namespace knnbert::inline v0_1 {

template <class Stack>
Classifier<Stack>::~Classifier() = default;

template <class Stack>
Classifier<Stack>::Classifier(const std::filesystem::path& encoder, const std::vector<std::string>& classes,
                              const ClassifierOptions& options)
    : Classifier(tokenizer_type::load(encoder), checkpoint_type(encoder), read_sentence_settings(encoder), classes,
                 options) {}

template <class Stack>
Classifier<Stack>::Classifier(tokenizer_type tokenizer, const checkpoint_type& checkpoint,
                              const SentenceSettings& settings, const std::vector<std::string>& classes,
                              const ClassifierOptions& options)
    : Classifier(std::move(tokenizer),
                 network_type(checkpoint.config(), head_outputs(classes, options),
                              complete(options, settings, typename Stack::encoder_type(checkpoint.config()))),
                 classes, settings_of(classes, options)) {
  checkpoint.read(network_.encoder(), network_.values());
  network_.lower(network_.values());
  head_trained_ = false;
}

template <class Stack>
Classifier<Stack>::Classifier(tokenizer_type tokenizer, network_type network, std::vector<std::string> classes,
                              TaskSettings task)
    : tokenizer_(std::move(tokenizer)), network_(std::move(network)), classes_(std::move(classes)),
      task_(std::move(task)), datastore_(network_.feature_width()), neighbors_(network_.options().neighbors) {
  datastore_to_device();
  set_neighbors(neighbors_);
  lower_datastore();
  const auto& encoder = network_.encoder();
  if (options().max_length < 3 || options().max_length > encoder.max_length())
    raise<OptionError>("ClassifierOptions::max_length: {} given, 3 to {} expected", options().max_length,
                       encoder.max_length());
  if (!encoder.pools(network_.pooling()))
    raise<OptionError>("ClassifierOptions::pooling: pooler given, but the encoder has none: mean or cls expected");
  require_vocabulary("Classifier", tokenizer_.vocabulary_size(), encoder.vocabulary_size());
}

template <class Stack>
void Classifier<Stack>::index(const Dataset& data, const Team& team, ProgressListener* listener) {
  index(data, tokenize(data.texts(), data.pairs()), team, listener);
}

template <class Stack>
void Classifier<Stack>::index(const Dataset& data, const Batch& texts, const Team& team, ProgressListener* listener) {
  if (texts.size() != data.size())
    raise<ShapeError>("Classifier::index: {} examples but {} tokenized texts", data.size(), texts.size());
  if (!single_label()) {  // where new sets and numbers are no new classes
    require_pairs(data);
    gold_outputs(data, task_.task, task_.separator, task_.outputs);
    const Matrix keys = features(texts, team, listener);
    replace_examples(keys, own_labels(data), data.texts(), pairs_of(data));
    task_.pairs = data.has_pairs();
    return;
  }
  require_pairs(data);
  const Dataset all = data.with_classes(*classes(), "the model's");
  require_labels(all.labels());
  const auto names = used_names(all);  // fewer where examples of added classes are gone
  const Dataset own = data.with_classes(names);
  const auto fresh = ClassNames(names).list();
  const Matrix keys = features(texts, team, listener);
  replace_examples(keys, own.labels(), own.texts(), pairs_of(own));
  classes_.restore(fresh);
  task_.pairs = own.has_pairs();
}

template <class Stack>
void Classifier<Stack>::index(ConstView keys, std::span<const label_t> labels) {
  require_labels(labels);
  replace_examples(keys, labels, {}, {});
}

template <class Stack>
void Classifier<Stack>::replace_examples(ConstView keys, std::span<const label_t> labels,
                                         std::span<const std::string> texts, std::span<const std::string> pairs) {
  const auto old = datastore_.ids();
  const auto fresh = store(keys, labels, texts, pairs);
  try {
    datastore_.remove(old);
  } catch (...) {
    datastore_.remove(fresh);
    throw;
  }
  origin_.set(network_.values());
  if constexpr (requires { datastore_.compact(); }) try {
      datastore_.compact();
    } catch (const std::bad_alloc&) {}  // then what is gone keeps its memory
}

/// The classes that the head knows, and of the others those that have examples.
template <class Stack>
std::vector<std::string> Classifier<Stack>::used_names(const Dataset& own) const {
  const auto known = static_cast<std::size_t>(network_.classes());
  const auto counts = own.class_counts();
  std::vector<std::string> names;
  for (std::size_t c = 0; c < own.classes().size(); ++c)
    if (c < known || counts[c] > 0) names.push_back(own.classes()[c]);
  return names;
}

/// Only the last ones: others' labels stay what they are.
template <class Stack>
std::vector<std::string> Classifier<Stack>::forget_classes() {
  if (!single_label()) return {};  // whose names are sets and numbers of examples
  const std::lock_guard changing(classes_.changing());
  const auto names = classes();
  auto used = static_cast<std::size_t>(network_.classes());
  for (const label_t label : datastore_.labels()) used = std::max(used, as_size(label) + 1);
  const auto end = names->begin() + static_cast<std::ptrdiff_t>(used);
  if (end != names->end()) classes_.restore(std::make_shared<const std::vector<std::string>>(names->begin(), end));
  return {end, names->end()};
}

template <class Stack>
void Classifier<Stack>::require_pairs(const Dataset& data) const {
  const Matrix keys;
  if constexpr (!requires(datastore_type & store) { store.add(keys, data.labels(), data.texts(), data.pairs()); })
    if (data.has_pairs())
      raise<OptionError>("Classifier: pairs of texts given, but this stack's datastore keeps single texts only");
}

template <class Stack>
void Classifier<Stack>::require_labels(std::span<const label_t> labels) const {
  const auto count = static_cast<label_t>(classes()->size());
  for (const label_t label : labels)
    if (label < 0 || label >= count)
      raise<ShapeError>("Classifier::index: label {} given, 0 to {} expected", label, count - 1);
}

template <class Stack>
void Classifier<Stack>::require_current(std::string_view where) const {
  if (datastore_.size() > 0 && !origin_.is(network_.values()))
    raise<StateError>(
        "{}: the datastore holds keys of other parameters than the model has now: index() expected after training",
        where);
}

template <class Stack>
std::vector<example_id> Classifier<Stack>::add(std::span<const std::string> texts, const std::string& class_name,
                                               std::span<const std::string> pairs) {
  if (!pairs.empty() && pairs.size() != texts.size())
    raise<ShapeError>("Classifier::add: {} texts but {} second texts", texts.size(), pairs.size());
  std::vector<Example> examples;
  for (std::size_t i = 0; i < texts.size(); ++i)
    examples.push_back({texts[i], pairs.empty() ? std::string() : pairs[i], 0});
  return add(Dataset(std::move(examples), {class_name}));
}

template <class Stack>
std::vector<example_id> Classifier<Stack>::add(const Dataset& data) {
  require_current("Classifier::add");
  require_pairs(data);
  for (index_t i = 0; i < data.size(); ++i)
    if (data.label(i) == no_label) raise<ShapeError>("Classifier::add: example {} has no label", i);
  for (const auto& name : data.classes())
    if (name.empty()) raise<OptionError>("Classifier::add: an empty class name given");
  if (!single_label()) TargetTable(task_.task, task_.separator, task_.outputs, data.classes());  // refuses bad numbers
  const Matrix keys = features(tokenize(data.texts(), data.pairs()));
  require_finite("Classifier::add", keys);
  const std::lock_guard changing(classes_.changing());
  const auto before = classes();
  try {
    origin_.set(network_.values());  // before what readers may see
    return store(keys, own_labels(data), data.texts(), pairs_of(data));
  } catch (...) {
    classes_.restore(before);  // without a class that nothing is of
    throw;
  }
}

template <class Stack>
std::vector<example_id> Classifier<Stack>::store(ConstView keys, std::span<const label_t> labels,
                                                 std::span<const std::string> texts,
                                                 std::span<const std::string> pairs) {
  if constexpr (requires { datastore_.add(keys, labels, texts, pairs); })
    return datastore_.add(keys, labels, texts, pairs);
  else return datastore_.add(keys, labels, texts);
}

/// A class may be written otherwise than the model spells it, as Dataset::with_classes reads it: 1.0 is 1.
template <class Stack>
std::vector<label_t> Classifier<Stack>::own_labels(const Dataset& data) {
  const ClassNames::Plain plain = [](const std::string& name) { return canonical_label(name, LabelKind::name, {}); };
  std::vector<std::size_t> own(data.classes().size(), data.classes().size());  // places among the names
  std::vector<std::string> names;
  for (const label_t label : data.labels()) {
    std::size_t& place = own[static_cast<std::size_t>(label)];
    if (place < own.size()) continue;
    place = names.size();
    const auto& name = data.classes()[static_cast<std::size_t>(label)];
    names.push_back(single_label() ? name : canonical_label(name, label_kind(task_.task), task_.separator));
  }
  const auto known = classes_.require(names, single_label() ? plain : nullptr);
  std::vector<label_t> labels;
  for (const label_t label : data.labels()) labels.push_back(known[own[static_cast<std::size_t>(label)]]);
  return labels;
}

}  // namespace knnbert::inline v0_1
