#pragma once
#include "knnbert/attack/result.hpp"
#include "knnbert/io/json.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// {name: probability} of names that differ.
inline OrderedJson class_probabilities(const std::vector<float>& row, const std::vector<std::string>& classes) {
  OrderedJson json = OrderedJson::object();
  auto& members = json.get_ref<OrderedJson::object_t&>();  // appended, for [] searches all that are there
  for (std::size_t c = 0; c < row.size() && c < classes.size(); ++c)
    members.emplace_back(classes[c], shortest_decimal(row[c]));
  return json;
}

}  // namespace detail

/// {"status", "label", "original", "perturbed", "original_label", "perturbed_label", "original_probabilities",
/// "perturbed_probabilities", "changed_words": [{"position", "begin", "from", "to"}], "words", "characters",
/// "character_edits", "queries", "score"}, and where they are there "pair" (the first text of a pair, which stays),
/// "similarity", "reason" and, of what led the search if it was another predictor, "original_guide_probabilities" and
/// "perturbed_guide_probabilities". begin: characters of the original before it. classes: of the columns.
inline OrderedJson to_json(const AttackResult& r, const std::vector<std::string>& classes) {
  const auto name = [&](label_t label) {
    return label >= 0 && as_size(label) < classes.size() ? OrderedJson(classes[as_size(label)]) : OrderedJson(nullptr);
  };
  OrderedJson json{{"status", name_of(r.counts.status)}, {"label", name(r.label)}};
  if (!r.fixed.empty()) json["pair"] = r.fixed;
  json["original"] = r.original, json["perturbed"] = r.perturbed;
  if (!r.before.empty()) {
    json["original_label"] = name(r.label_before), json["perturbed_label"] = name(r.label_after);
    json["original_probabilities"] = detail::class_probabilities(r.before, classes);
    json["perturbed_probabilities"] = detail::class_probabilities(r.after, classes);
  }
  if (!r.guide_before.empty()) {
    json["original_guide_probabilities"] = detail::class_probabilities(r.guide_before, classes);
    json["perturbed_guide_probabilities"] = detail::class_probabilities(r.guide_after, classes);
  }
  json["changed_words"] = OrderedJson::array();
  for (const auto& c : r.changes)
    json["changed_words"].push_back({{"position", c.position}, {"begin", c.begin}, {"from", c.from}, {"to", c.to}});
  json["words"] = r.counts.words, json["characters"] = r.counts.characters;
  json["character_edits"] = r.counts.edits, json["queries"] = r.counts.queries;
  if (!r.before.empty()) json["score"] = detail::shortest_decimal(r.score);
  if (r.counts.similarity) json["similarity"] = detail::shortest_decimal(*r.counts.similarity);
  if (!r.reason.empty()) json["reason"] = r.reason;
  return json;
}

/// What a summary needs of such an object.  Errors: FormatError with `where`.
inline AttackCounts attack_counts(const Json& json, std::string_view where) {
  AttackCounts counts;
  const auto status = require<std::string>(json, "status", where);
  bool known = false;
  for (const auto s : {AttackStatus::successful, AttackStatus::failed, AttackStatus::skipped, AttackStatus::error})
    if (status == name_of(s)) counts.status = s, known = true;
  if (!known) raise<FormatError>("{}: status '{}' given, successful, failed, skipped or error expected", where, status);
  const auto number = [&](const Json& of, const char* name) {
    const auto value = require<index_t>(of, name, where);
    if (value < 0) raise<FormatError>("{}: {}: {} given, a number from 0 expected", where, name, value);
    return value;
  };
  const auto require_text = [&](const Json& of, const char* name) { (void)require<std::string>(of, name, where); };
  counts.words = number(json, "words"), counts.characters = number(json, "characters");
  counts.edits = number(json, "character_edits"), counts.queries = number(json, "queries");
  require_text(json, "original"), require_text(json, "perturbed");
  for (const char* name : {"pair", "reason"})
    if (json.contains(name)) require_text(json, name);
  const auto is_label = [&](const char* name) {
    return json.contains(name) && json[name] == json.value("label", Json());
  };
  counts.right = is_label("original_label"), counts.right_after = is_label("perturbed_label");
  const auto changes = require<std::vector<Json>>(json, "changed_words", where);
  for (const Json& change : changes) {
    if (!change.is_object()) raise<FormatError>("{}: changed_words: objects expected", where);
    number(change, "begin"), require_text(change, "from"), require_text(change, "to");
  }
  counts.changed = std::ssize(changes);
  if (json.contains("similarity")) counts.similarity = require<float>(json, "similarity", where);
  return counts;
}

/// TextAttack's summary, shares from 0 to 1, those of examples with their 95 % intervals, and the share of characters
/// that were edited; null for a mean of nothing.
inline OrderedJson to_json(const AttackSummary& s) {
  const auto value = [](const Ratio& r) { return r.defined ? OrderedJson(r.value) : OrderedJson(nullptr); };
  const auto within = [](index_t count, index_t all) {
    const Interval i = wilson_interval(static_cast<double>(count), static_cast<double>(all));
    return all > 0 ? OrderedJson{i.lower, i.upper} : OrderedJson(nullptr);
  };
  const index_t attacked = s.successful + s.failed, all = attacked + s.skipped;
  return {{"number_of_successful_attacks", s.successful},
          {"number_of_failed_attacks", s.failed},
          {"number_of_skipped_attacks", s.skipped},
          {"number_of_errors", s.errors},
          {"original_accuracy", value(s.original_accuracy)},
          {"accuracy_under_attack", value(s.accuracy_under_attack)},
          {"attack_success_rate", value(s.success_rate)},
          {"average_perturbed_word_share", value(s.perturbed_words)},
          {"average_character_edit_share", value(s.edits)},
          {"average_words_per_input", value(s.words)},
          {"average_number_of_queries", value(s.queries)},
          {"average_similarity_of_successes", value(s.similarity)},
          {"intervals",
           {{"original_accuracy", within(s.right, all)},
            {"accuracy_under_attack", within(s.right_after, all)},
            {"attack_success_rate", within(s.successful, attacked)}}}};
}

}  // namespace knnbert::inline v0_1
