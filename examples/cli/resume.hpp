#pragma once
#include "config.hpp"
#include "knnbert/text/tokenizer_directory.hpp"
#include "knnbert/train/trainer.hpp"
#include "output.hpp"

/// What `train` finds in its output directory, and what it says of it.
namespace knnbert::cli {

/// How a run begins.
enum class Start { afresh, at_a_checkpoint, complete };

namespace detail_of_resume {

/// The option that sets a setting of a run's identity.
inline std::string option_of(const std::string& setting) {
  static constexpr std::pair<std::string_view, const char*> special[] = {
      {"clip_norm", "--clip"},
      {"contrastive.weight", "--lambda"},
      {"contrastive.capacity", "--queue-size"},
      {"contrastive.most_similar", "--top-k"},
      {"contrastive.least_similar", "--end-k"},
      {"contrastive.exclude_self", "--exclude-self"},
      {"head_hidden_layer", "--head"},
      {"train_data", "--train"},
      {"targets", "--train"},
      {"texts", "--train"},
      {"dev_data", "--dev"},
      {"parameters", "--encoder"},
      {"instruction_set", "instruction set"},
      {"optimizer", "--backend"},
      {"dropout", "--no-dropout"},
      {"contrastive.key_dropout", "--no-key-dropout"},
      {"contrastive.warm_up", "--no-warm-up"},
      {"rebuild_store", "--no-dev-store"},
      {"updates_per_batch", "--proximal-steps"},
      {"proximal.updates_per_batch", "--proximal-steps"},
      {"proximal.plain", "--proximal"},
      {"distillation.teacher", "--distill"},
      {"contrastive.enqueue", "--no-enqueue"},
      {"contrastive.rule", "--method"},
      {"supervised_contrast.weight", "--lambda"},
      {"supervised_contrast.released", "--scl-loss"},
      {"term.contrastive", "--method"},
      {"term.supervised_contrast", "--method"},
      {"term.smoothness", "--smart"},
      {"term.distillation", "--distill"},
      {"head_only_learning_rate", "--head-learning-rate"},
      {"start", "--encoder"}};
  for (const auto& [name, option] : special)
    if (name == setting) return option;
  std::string option = "--";
  for (const auto& [type, term, prefix] : term_prefixes)
    if (setting.substr(0, setting.find('.')) == term) option += prefix;
  option += setting.substr(setting.find('.') + 1);
  std::replace(option.begin(), option.end(), '_', '-');
  return option;
}

/// Whether the value of a setting says only whether two things are the same.
inline bool is_checksum(std::string_view setting) {
  constexpr std::string_view known[] = {"encoder", "start",      "parameters", "train_data", "dev_data",  "targets",
                                        "texts",   "vocabulary", "synonyms",   "wordnet",    "stop_words"};
  return std::find(std::begin(known), std::end(known), setting) != std::end(known);
}

/// Whether the value of a setting follows from others: the number of parameters, and what a weight leaves of 1.
inline bool follows(std::string_view setting) {
  constexpr std::string_view known[] = {"parameters", "cross_entropy.weight", "binary_cross_entropy.weight",
                                        "cat.scale"};
  return std::find(std::begin(known), std::end(known), setting) != std::end(known);
}

/// The same where the dev sets differ: a run without one does not know what scores depend on, and the names of classes
/// are those of both sets.
inline bool follows_from_dev(const SettingDifference& d) {
  constexpr std::string_view known[] = {"voting", "fusion", "neighbors", "feature"};
  const std::string_view name(d.name);
  return name == "targets" ||
         ((d.there == "nothing" || d.here == "nothing") &&
          std::find(std::begin(known), std::end(known), name.substr(0, name.find('.'))) != std::end(known));
}

/// The same where the backends differ: each has its own layout of the parameters, which their checksums see.
inline bool follows_from_backend(std::string_view setting) {
  constexpr std::string_view known[] = {"encoder", "start", "parameters", "instruction_set", "head_type", "device"};
  return std::find(std::begin(known), std::end(known), setting) != std::end(known);
}

/// Differences as options, the backend first; of those that follow from another method or from other differences, only
/// these.
inline std::string in_options(std::vector<SettingDifference> differences) {
  std::stable_partition(differences.begin(), differences.end(), [](const auto& d) { return d.name == "optimizer"; });
  constexpr int most = 4;
  std::vector<std::string> named;
  std::string text;
  const auto has = [&](std::string_view name) {
    return std::any_of(differences.begin(), differences.end(), [&](const auto& d) { return d.name == name; });
  };
  const auto has_any = [&](auto... names) { return (has(names) || ...); };
  const bool other_copies = has_any("augment", "augment_words", "synonyms", "wordnet", "stop_words"),
             other_start = has_any("layers", "hidden", "heads", "vocabulary", "seed");
  const bool other_method = has("method"), other_backend = has("optimizer"), other_dev = has("dev_data"),
             causes =
                 !std::all_of(differences.begin(), differences.end(), [](const auto&d) { return follows(d.name); });
  for (const auto& d : differences) {
    const std::string option = option_of(d.name);
    if ((other_method && d.name.find('.') != d.name.npos) || (causes && follows(d.name))) continue;
    if (other_backend && follows_from_backend(d.name)) continue;
    if (other_dev && follows_from_dev(d)) continue;
    if ((other_copies && (d.name == "train_data" || d.name == "texts")) || (other_start && d.name == "start")) continue;
    if (std::find(named.begin(), named.end(), option) != named.end()) continue;
    named.push_back(option);
    if (std::ssize(named) > most) continue;
    const auto shown = [&](const std::string& value) {
      const bool negated = option.starts_with("--no-");
      if (d.name == "optimizer") return std::string(value.starts_with("Torch") ? "torch" : "native");
      if (d.name == "head_hidden_layer" && value != "nothing") return std::string(value == "true" ? "mlp" : "linear");
      return negated && value == "true"    ? std::string("not given")
             : negated && value == "false" ? std::string("given")
                                           : value;
    };
    text += text.empty() ? "" : "; ";
    if (is_checksum(d.name)) text += format("another {} there", option);
    else text += format("{} {} there, {} here", option, shown(d.there), shown(d.here));
  }
  if (std::ssize(named) > most) text += format("; and {} more", std::ssize(named) - most);
  return text;
}

/// The run that pretrained the model of a directory to its end.
inline std::optional<RunIdentity> completed_pretraining(const std::filesystem::path& directory) {
  const auto path = directory / "pretraining.json";
  if (!committed_exists(path)) return std::nullopt;
  const Json run = detail::read_regular_json(path);
  if (!run.is_object() || !run.contains("run") || run.value("interrupted", true)) return std::nullopt;
  return RunIdentity::parse(run["run"].dump(), path.string());
}

/// The run that made the model of a directory, unless something else changed that since.
inline std::optional<RunIdentity> completed_run(const std::filesystem::path& directory) {
  const auto training = directory / "training.json", model = directory / "knnbert.json";
  if (!committed_exists(training) || !committed_exists(model)) return std::nullopt;
  const Json run = detail::read_regular_json(training), made = detail::read_regular_json(model);
  if (!run.is_object() || !run.contains("run") || !run.contains("fingerprint") || !made.is_object() ||
      !made.contains("fingerprint"))
    return std::nullopt;
  if (run["fingerprint"] != made["fingerprint"]) return std::nullopt;
  return RunIdentity::parse(run["run"].dump(), training.string());
}

}  // namespace detail_of_resume

/// Decides how the run begins, and behind which step. completed(directory): the run that has made what is there.
/// Errors: IoError, FormatError, if it is to be resumed and cannot be.
template <class Completed>
std::pair<Start, index_t> start_of(const DirectoryLock& lock, bool resume, const RunIdentity& run,
                                   Completed&& completed) {
  using namespace detail_of_resume;
  const auto& directory = lock.name();
  const auto all = checkpoints_in(directory), own = checkpoints_in(directory, run);
  if (!resume) {
    if (all.size() > own.size())
      std::fprintf(stderr, "knnbert: %s has checkpoints of another run, which are left alone\n",
                   directory.string().c_str());
    if (!own.empty())
      print_warning(
          format("{}: a checkpoint of this very run, behind step {}, is there and will be replaced: --resume "
                 "goes on from it",
                 directory.string(), own.back().step));
    return {Start::afresh, 0};
  }
  const auto done = completed(directory);
  if (done && *done == run) {
    remove_old_checkpoints(lock, run, -1, 0);  // it may have died just before
    std::fprintf(stderr, "knnbert: %s: nothing to do: the run is complete\n", directory.string().c_str());
    return {Start::complete, 0};
  }
  if (!own.empty()) return {Start::at_a_checkpoint, own.back().step};
  if (!all.empty())
    raise<FormatError>("{}: of another run: {}", all.back().folder.string(),
                       in_options(run.differences(all.back().run())));
  if (done)
    raise<FormatError>("{}: the run that is complete there is another one: {}", directory.string(),
                       in_options(run.differences(*done)));
  raise<IoError>("no checkpoint in {}; without --resume training starts at the beginning", directory.string());
}

}  // namespace knnbert::cli
