#pragma once
#include <cmath>

#include "knnbert/config.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/model/class_names.hpp"
#include "knnbert/model/model_file.hpp"
#include "knnbert/text/tokenizer_directory.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

inline constexpr index_t model_schema = 1;
inline constexpr const char* policy_roles[] = {"encoder", "tokenizer", "metric", "fusion", "voting"};

/// The value that a key of a file names.
template <class Names>
auto named_value(const Json& json, const char* key, const Names& names, const std::string& where) {
  return value_in(names, require<std::string>(json, key, where), format("{}: {}", where, key));
}

/// The policies, and the numbers under the names that policy_files.hpp gives them.
inline void read_policies(const Json& json, const std::string& where, ModelFile& file) {
  const std::string types = "_type";
  const auto read = [&](const std::string& key) {
    if (json.contains(key)) file.policies.emplace_back(key, require<std::string>(json, key, where));
  };
  for (const std::string role : policy_roles) read(role), read(role + types);
  read("head" + types);
  for (const auto& [key, value] : json.items())
    if (key == "phi" || key.starts_with("fusion.") || key.starts_with("voting.") ||
        (key.starts_with("voting_") && !key.ends_with(types)))
      file.numbers.emplace_back(key, json_as<float>(value, format("{}: {}", where, key)));
}

/// A number of a file in [least, most].  Errors: FormatError.
inline float require_number(const Json& json, const char* key, float least, float most, const std::string& where) {
  const auto value = require<float>(json, key, where);
  if (!(value >= least && value <= most))
    raise<FormatError>("{}: {}: {} given, {} to {} expected", where, key, value, least, most);
  return value;
}

/// Directories from before there was a decision have none.
inline Decision read_decision(const Json& json, const std::string& where) {
  constexpr float smallest = std::numeric_limits<float>::min(), largest = std::numeric_limits<float>::max();
  Decision decision;
  if (json.contains("temperature"))
    decision.temperature = require_number(json, "temperature", smallest, largest, where);
  if (!json.contains("rejection")) return decision;
  const Json& rule = json.at("rejection");
  const std::string inside = where + ": rejection";
  decision.rejection = {.score = named_value(rule, "score", scope_score_names, inside),
                        .threshold = require_number(rule, "threshold", -largest, largest, inside),
                        .coverage = require_number(rule, "coverage", 0, 1, inside),
                        .held_out = require_within(require<index_t>(rule, "held_out", inside), "held_out", 0,
                                                   std::numeric_limits<index_t>::max(), inside)};
  return decision;
}

/// Files of models with one label a text say nothing of a task.
inline void read_task(const Json& json, const std::string& where, ModelFile& file) {
  if (!json.contains("task")) return;
  TaskSettings& task = file.task;
  task.task = named_value(json, "task", task_names, where);
  task.separator = require<std::string>(json, "label_separator", where);
  task.outputs = require<std::vector<std::string>>(json, "outputs", where);
  task.thresholds = require<std::vector<float>>(json, "thresholds", where);
  task.mean = require<float>(json, "value_mean", where), task.scale = require<float>(json, "value_scale", where);
  from_file(where + ": outputs", [&] { return ClassNames(task.outputs); });
  if (task.task == Task::multi_label && task.separator.empty())
    raise<FormatError>("{}: label_separator: an empty one given, a character expected", where);
  if (!task.thresholds.empty() && task.thresholds.size() != task.outputs.size())
    raise<FormatError>("{}: {} thresholds given, {} expected", where, task.thresholds.size(), task.outputs.size());
  if (!(task.scale > 0 && std::isfinite(task.scale) && std::isfinite(task.mean)))
    raise<FormatError>("{}: value_mean {} and value_scale {} given, finite numbers, the second positive, expected",
                       where, task.mean, task.scale);
  TargetTable(task.task, task.separator, task.outputs, file.classes);
}

inline void write_task(const TaskSettings& task, OrderedJson& json) {
  if (task.task == Task::single_label) return;
  json["task"] = name_in(task_names, task.task);
  json["label_separator"] = task.separator;
  json["outputs"] = task.outputs;
  json["thresholds"] = OrderedJson::array();
  for (const float t : task.thresholds) json["thresholds"].push_back(shortest_decimal(t));
  json["value_mean"] = shortest_decimal(task.mean), json["value_scale"] = shortest_decimal(task.scale);
}

}  // namespace detail

KNNBERT_INLINE ModelFile read_model_file(const std::filesystem::path& path) {
  constexpr index_t unlimited = std::numeric_limits<index_t>::max();
  const Json json = detail::read_regular_json(path);
  const std::string where = path.string();
  if (const auto schema = require<index_t>(json, "schema", where); schema != detail::model_schema)
    raise<FormatError>("{}: schema {} given, {} expected", where, schema, detail::model_schema);
  const auto number = [&](const char* key, index_t least, index_t most) {
    return detail::require_within(require<index_t>(json, key, where), key, least, most, where);
  };
  ModelFile file;
  file.pooling = detail::named_value(json, "pooling", detail::pooling_names, where);
  file.head_hidden_layer = detail::named_value(json, "head", detail::head_names, where);
  file.projection_width = number("projection_width", 0, unlimited);
  file.feature = detail::named_value(json, "feature", detail::feature_names, where);
  file.neighbors = number("neighbors", 1, ClassifierOptions::most_neighbors);
  file.max_length = require<index_t>(json, "max_length", where);
  file.normalized = optional_value(json, "normalized", false, where);
  file.precision = optional_value<std::string>(json, "precision", file.precision, where);
  file.function = optional_value<std::string>(json, "function", "", where);
  file.seed = require<std::uint64_t>(json, "seed", where);
  file.classes = require<std::vector<std::string>>(json, "classes", where);
  detail::from_file(where + ": classes", [&] { return ClassNames(file.classes); });
  detail::read_task(json, where, file);
  if (json.contains("pairs")) file.task.pairs = require<bool>(json, "pairs", where);
  file.head_classes = require<index_t>(json, "head_classes", where);
  const bool single = file.task.task == Task::single_label;
  const auto most = std::ssize(single ? file.classes : file.task.outputs), least = single ? 1 : most;
  if (file.head_classes < least || file.head_classes > most || most < 1)
    raise<FormatError>("{}: head_classes {} given, {} to {} expected", where, file.head_classes, least, most);
  file.head_trained = optional_value<bool>(json, "head_trained", true, where);
  detail::read_policies(json, where, file);
  file.decision = detail::read_decision(json, where);
  return file;
}

KNNBERT_INLINE void write_model_file(const std::filesystem::path& path, const ModelFile& file) {
  OrderedJson json{{"schema", detail::model_schema},
                   {"classes", file.classes},
                   {"head_classes", file.head_classes},
                   {"head", detail::name_in(detail::head_names, file.head_hidden_layer)},
                   {"pooling", detail::name_in(detail::pooling_names, file.pooling)},
                   {"feature", detail::name_in(detail::feature_names, file.feature)},
                   {"projection_width", file.projection_width},
                   {"neighbors", file.neighbors},
                   {"max_length", file.max_length},
                   {"normalized", file.normalized},
                   {"seed", file.seed},
                   {"precision", file.precision},
                   {"fingerprint", file.fingerprint},
                   {"function", file.function},
                   {"head_trained", file.head_trained}};
  detail::write_task(file.task, json);
  if (file.task.pairs) json["pairs"] = *file.task.pairs;
  for (const auto& [role, name] : file.policies) json[role] = name;
  for (const auto& [key, value] : file.numbers) json[key] = detail::shortest_decimal(value);
  json["temperature"] = detail::shortest_decimal(file.decision.temperature);
  if (const auto& rule = file.decision.rejection)
    json["rejection"] = {{"score", name_of(rule->score)},
                         {"threshold", detail::shortest_decimal(rule->threshold)},
                         {"coverage", detail::shortest_decimal(rule->coverage)},
                         {"held_out", rule->held_out}};
  write_json(path, json);
}

}  // namespace knnbert::inline v0_1
