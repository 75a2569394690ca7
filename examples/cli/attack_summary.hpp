#pragma once
#include <set>

#include "attack_guide.hpp"
#include "knnbert/attack/result_json.hpp"
#include "knnbert/train/checkpoint.hpp"
#include "output.hpp"

/// What an attack is told by: the run that its results belong to, and their summary.
namespace knnbert::cli {

/// Of the files that answers of a model directory depend on: weights, also in several files, settings and tokenizer.
inline std::string hash_of_model(const std::filesystem::path& directory) {
  std::set<std::string> names;
  for (const char* name :
       {"model.safetensors", "model.safetensors.index.json", "knnbert.safetensors", "datastore.safetensors",
        "knnbert.json", "config.json", "modules.json", "1_Pooling/config.json", "sentence_bert_config.json",
        "config_sentence_transformers.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
        "added_tokens.json", "vocab.txt", "vocab.json", "merges.txt"})
    names.insert(name);
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(directory, missing))
    if (entry.path().extension() == ".safetensors") names.insert(entry.path().filename().string());
  std::string all;
  for (const auto& name : names)
    if (committed_exists(directory / name)) all += name + detail::hash_of_file(directory / name);
  return detail::hex_digits(detail::mix_bytes(0, std::as_bytes(std::span(all))));
}

/// All that results depend on.
inline OrderedJson run_of(const AttackVerbOptions& o, const std::vector<std::string>& parts, const Dataset& data) {
  OrderedJson run{{"recipe", o.recipe},
                  {"preset", o.preset},
                  {"predictor", o.predictor},
                  {"guide", guide_name(o)},
                  {"parts", parts},
                  {"examples", data.size()},
                  {"seed", o.seed},
                  {"most_queries", o.attack.queries.most},
                  {"precision", o.common.precision}};
  std::uint64_t hash = 0;
  for (index_t i = 0; i < data.size(); ++i)
    for (const std::string& text : {data.text(i), data.pair(i), data.classes()[as_size(data.label(i))]})
      hash = detail::mix_bytes(hash, std::as_bytes(std::span(text.data(), text.size() + 1)));
  run["data"] = detail::hex_digits(hash);
  const auto add_files = [&](const std::string& directory, const char* key) {
    if (directory.empty() || directory == "none") return;
    run[key] = hash_of_model(directory);
  };
  add_files(o.model, "model"), add_files(o.language_model, "language_model");
  add_files(o.similarity_encoder, "similarity_encoder");
  for (const auto& [key, path] : {std::pair("synonyms", &o.synonyms),
                                  {"vectors", &o.vectors},
                                  {"wordnet", &o.wordnet},
                                  {"stop_words", &o.stop_words},
                                  {"antonyms", &o.antonyms},
                                  {"pool", &o.pool},
                                  {"smooth_synonyms", &o.smoothing_files.synonyms},
                                  {"smooth_wordnet", &o.smoothing_files.wordnet},
                                  {"smooth_stop_words", &o.smoothing_files.stop_words}})
    if (!path->empty() && *path != "none") run[key] = detail::hash_of_file(*path);
  return run;
}

inline void print_summary(const AttackVerbOptions& o, const AttackSummary& s, const std::vector<std::string>& parts) {
  if (o.common.json) {
    OrderedJson json = to_json(s);
    json["recipe"] = o.recipe, json["predictor"] = o.predictor, json["guide"] = guide_name(o), json["parts"] = parts;
    return print_json(json);
  }
  std::string out;
  for (const auto& part : parts) out += format("{}{}\n", out.empty() ? "parts: " : "       ", part);
  const auto row = [&](std::string name, const std::string& value) {
    name.resize(36, ' ');
    out += name + value + "\n";
  };
  const index_t attacked = s.successful + s.failed, all = attacked + s.skipped;
  const auto share = [](const Ratio& r, index_t count, index_t of) {
    if (!r.defined) return std::string("-");
    const Interval i = wilson_interval(static_cast<double>(count), static_cast<double>(of));
    return format("{} % ({} to {})", two_digits(100 * r.value), two_digits(100 * i.lower), two_digits(100 * i.upper));
  };
  const auto mean = [](const Ratio& r, double scale, const char* unit) {
    return r.defined ? two_digits(scale * r.value) + unit : std::string("-");
  };
  row("successful attacks", format("{}", s.successful));
  row("failed attacks", format("{}", s.failed));
  row("skipped attacks", format("{}", s.skipped));
  if (s.errors > 0) row("errors", format("{}", s.errors));
  row("original accuracy", share(s.original_accuracy, s.right, all));
  row("accuracy under attack", share(s.accuracy_under_attack, s.right_after, all));
  row("attack success rate", share(s.success_rate, s.successful, attacked));
  row("average perturbed words", mean(s.perturbed_words, 100, " %"));
  row("average edited characters", mean(s.edits, 100, " %"));
  row("average words per input", mean(s.words, 1, ""));
  row("average number of queries", mean(s.queries, 1, ""));
  if (s.similarity.defined) row("average similarity of successes", mean(s.similarity, 1, ""));
  print(out);
}

}  // namespace knnbert::cli
