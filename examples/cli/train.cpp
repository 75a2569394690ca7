#include "train.hpp"

#include "knnbert/train/refit_head.hpp"
#include "knnbert/train/trainer.hpp"
#include "pairs.hpp"
#include "progress.hpp"
#include "resume.hpp"
#include "stack.hpp"

namespace knnbert::cli {

namespace {

/// Errors: OptionError for a queue that the stack does not have, and for rows that enter where weights are lowered.
template <class S>
void require_method(const TrainOptions& o) {
  using Queue = typename Network<S>::queue_type;
  const bool plain = !o.method.has_queue() || choice_of(o.method) == QueueChoice{};
  if (!plain && !requires(const Queue& queue) { queue.choice(); })
    raise<OptionError>(
        "--backend torch: native expected for --method {} with --queue {}, LibTorch has the queue of knn-bert alone",
        o.method.name, o.method.queue);
  if (o.common.backend == "torch" && o.method.key_precision == "int8")
    raise<OptionError>("--key-precision int8: fp32 or bf16 expected with --backend torch");
  const bool lowered = precision_of(o.common).value_or(Precision::fp32) != Precision::fp32;
  if (lowered && (o.method.smart || o.method.cat))
    raise<OptionError>("--precision {}: fp32 expected with {}, whose perturbations vanish in others",
                       o.common.precision, o.method.smart ? "--smart" : "--cat");
}

/// Errors: OptionError for what would be left out unseen.
void require_effect(const TrainOptions& o) {
  if (o.method.name == "scl" && o.trainer.batch_size < 2)
    raise<OptionError>("--batch-size {}: at least 2 expected with --method scl, which compares the texts of a batch",
                       o.trainer.batch_size);
  if (o.augment.copies > 0 && o.augment.most_words == 0)
    raise<OptionError>("--augment-words 0: more than 0 expected with --augment, whose copies would be the texts again");
}

/// visit(trainer) trains; with --store queue, the datastore then holds what the queue held.
template <class S, class Visit>
FitReport with_trainer(const TrainOptions& o, const TrainerOptions& options, Classifier<S>& model, Visit&& visit) {
  auto trainer =
      std::apply([&](auto... terms) { return Trainer<S, decltype(terms)...>(model, options, std::move(terms)...); },
                 terms_of(o.method));
  const FitReport report = visit(trainer);
  if (o.store != "queue" || report.interrupted || report.identity == RunIdentity()) return report;
  const auto& contrast = *trainer.template term<std::optional<QueueContrastive>>();
  model.index(contrast.queue().keys(), contrast.key_classes());
  return report;
}

/// The encoder becomes what lies between the trained one and the one that it started as, and the head is fitted to it.
template <class S>
void move_back(const TrainOptions& o, const ParameterBlock& start, const Dataset& examples, Classifier<S>& model,
               const Team& team) {
  interpolate(model.network(), start, o.pretrained_weight);
  const TrainingData data = model.tokenize(examples);
  const RefitOptions options{.seed = o.trainer.seed};
  if (o.method.task == Task::multi_label) refit_head(model, data, options, BinaryCrossEntropyLoss(), team);
  else if (o.method.task == Task::regression) refit_head(model, data, options, SquaredErrorLoss(), team);
  else refit_head(model, data, options, CrossEntropyLoss{o.method.label_smoothing, o.method.weights}, team);
}

template <class S>
OrderedJson summary(const TrainOptions& o, const Classifier<S>& model, const FitReport& report, index_t examples,
                    const std::string& print) {
  OrderedJson json{{"method", o.method.name},
                   {"encoder", repair_utf8(std::filesystem::path(o.encoder).filename().string())},
                   {"examples", examples},
                   {"classes", model.network().classes()},
                   {"recipe", o.recipe},
                   {"epochs", std::ssize(report.epochs)},
                   {"batch_size", o.trainer.batch_size},
                   {"learning_rate", detail::shortest_decimal(o.trainer.learning_rate)},
                   {"seed", o.trainer.seed}};
  if (o.method.has_contrast())
    json.update(OrderedJson{{"lambda", detail::shortest_decimal(o.method.lambda)},
                            {"temperature", detail::shortest_decimal(o.method.temperature)}});
  if (o.method.has_queue()) {
    const auto& c = o.method.contrastive;
    json.update(OrderedJson{{"momentum", detail::shortest_decimal(c.momentum)},
                            {"queue_size", c.capacity},
                            {"positives", c.positives},
                            {"top_k", c.contrast.most_similar},
                            {"end_k", c.contrast.least_similar}});
  }
  json["chosen_by_recipe"] = o.chosen;
  if (report.best_epoch) json["best_epoch"] = report.best_epoch;
  json["options"] = o.typed;
  json["options"].update(o.chosen);                               // train --config training.json repeats the run
  json["run"] = OrderedJson::parse(report.identity.json_text());  // what --resume compares
  json["fingerprint"] = print;
  return json;
}

/// A signal that any process has had.
int signal_of_all(const Team& team) {
  const int own = stop_signal;
  const auto all = gather_values(team, std::span<const int>(&own, 1));
  return *std::max_element(all.begin(), all.end());
}

/// A text that changes with any parameter of the encoder, but not with fresh heads.
std::string identity_of_encoder(const ParameterBlock& values) {
  std::uint64_t hash = 0;
  for (const Parameter& p : values.table().all())
    if (of_encoder(p))
      hash =
          detail::mix_bytes(hash, std::as_bytes(std::span(values.data() + p.offset, static_cast<std::size_t>(p.size))));
  return detail::hex_digits(hash);
}

/// More that a run and its continuation have in common: the encoder it starts from, and what becomes of the trained
/// model.
template <class S>
std::vector<std::pair<std::string, std::string>> more_settings(const TrainOptions& o, const Classifier<S>& model) {
  std::vector<std::pair<std::string, std::string>> settings{
      {"method", o.method.name},
      {"encoder", identity_of_encoder(model.network().values())},
      {"feature", classifier_options(o).feature == Feature::contrastive ? "contrastive" : "embedding"},
      {"neighbors", format("{}", o.classifier.neighbors)},
      {"voting", o.voting},
      {"voting_temperature", format("{}", o.voting_temperature)},
      {"phi", format("{}", o.phi)},
      {"store", o.store}};
  if (o.pretrained_weight > 0) settings.push_back({"pretrained_weight", format("{}", o.pretrained_weight)});
  if (o.augment.copies > 0) {
    settings.insert(settings.end(), {{"augment", format("{}", o.augment.copies)},
                                     {"augment_words", format("{}", o.augment.most_words)}});
    for (const auto& [name, path] : {std::pair("synonyms", &o.augment.files.synonyms),
                                     {"wordnet", &o.augment.files.wordnet},
                                     {"stop_words", &o.augment.files.stop_words}})
      if (!path->empty()) settings.push_back({name, detail::hash_of_file(*path)});
  }
  if (o.method.task != Task::single_label)
    settings.insert(settings.end(), {{"task", o.task}, {"label_separator", o.separator}});
  return settings;
}

}  // namespace

template <class S>
void train(const TrainOptions& typed, const Team& team) {
  const TrainOptions given = with_task(typed);
  for (const auto& [option, file] : {std::pair("--train", given.train), std::pair("--dev", given.dev)})
    if (team.size() > 1 && file == "-")
      raise<OptionError>("{} -: several processes given, a file that all can read expected", option);
  require_method<S>(given);
  if (given.store == "queue" &&
      (!given.method.has_queue() || classifier_options(given).feature != Feature::contrastive))
    raise<OptionError>(
        "--store queue: a queue of contrastive features expected: a --method with a queue and --feature contrastive");
  if (given.store == "queue" && given.pretrained_weight > 0)
    raise<OptionError>(
        "--store queue: the keys of another encoder than the one that --pretrained-weight makes, rebuilt expected");
  require_length(given.classifier.max_length, given.encoder);
  require_layers(given.trainer.frozen_layers, given.encoder);
  const auto settings = read_sentence_settings(given.encoder);
  if (given.pooling.empty()) settings.require_pooling();
  if (!settings.note.empty() && team.first())
    std::fprintf(stderr, "knnbert: note: %s\n", printable(settings.note).c_str());
  // before anything is done in vain
  if (!given.trainer.resume && !committed_exists(std::filesystem::path(given.output) / "knnbert.json"))
    require_other_file("--output", given.output, given.encoder);
  require_own_folder(given.output, "knnbert.json");
  const auto lock = team.first() ? std::make_shared<const DirectoryLock>(given.output) : nullptr;
  // in a team SIGTERM comes from a launcher that ends the job; it passes SIGUSR1 on to all processes
  std::optional<StopBySignals> signals(team.size() > 1 ? SIGUSR1 : SIGTERM);
  auto reading = dataset_options(given.data);
  reading.label_kind = label_kind(given.method.task);
  reading.label_separator = given.separator;
  const Dataset data = read_data(given.train, reading, !team.first());
  if (given.method.task == Task::multi_label && data.classes() == std::vector{given.separator})
    raise<FormatError>("{}: no text with a class given, at least one expected", input_name(given.train));
  Dataset dev = given.dev.empty() ? Dataset() : read_data(given.dev, reading, !team.first());
  if (dev.size() > 0 && dev.has_pairs() != data.has_pairs() && team.first())
    print_warning(
        format("--dev: {} has {}, unlike --train", given.dev, dev.has_pairs() ? "pairs of texts" : "single texts"));
  if (dev.size() > 0 && given.method.task == Task::single_label) dev = dev.with_classes(data.classes(), "--train's");
  const std::optional<Dataset> copies = with_copies(data, given.augment, given.trainer.seed);
  const Dataset& examples = copies ? *copies : data;
  TrainingFacts facts = training_facts(data, read_bert_config(given.encoder).hidden_size);
  facts.copies = given.augment.copies;
  const TrainOptions named = with_method(given, facts);
  Classifier<S> model(given.encoder, data.classes(), classifier_options(named));
  if (given.method.task != Task::single_label) facts.classes = model.network().classes();
  TrainOptions o = with_recipe(named, facts);
  require_effect(o);
  o.method.weights = weights_of(o.method, data.classes(), data.class_counts());
  if (!o.positive.empty()) o.trainer.positive = class_named(data.classes(), o.positive, "--positive");
  if (team.first()) warn_of_unused(o), print_recipe(o, facts);
  if (team.first() && o.method.task == Task::multi_label && dev.size() == 0)
    print_warning("without --dev a class is told from a probability of 0.5, which few texts may reach");
  std::optional<ParameterBlock> start_values;
  if (o.pretrained_weight > 0) start_values = std::as_const(model.network()).values();
  model.set_neighbors(o.classifier.neighbors);
  if (!model.voting().set_name(o.voting)) raise<OptionError>("--voting: {} given, a vote's name expected", o.voting);
  model.voting().temperature = o.voting_temperature;
  model.fusion().phi = o.phi;
  const std::filesystem::path output(o.output);
  // the curves of a model that is there stay until the model is replaced
  const auto log_file = output / (committed_exists(output / "knnbert.json") ? "metrics.new.jsonl" : "metrics.jsonl");
  auto options = trainer_options(o, lock);
  options.settings = more_settings(o, model);
  if (team.size() == 1 && stop_signal) throw Stopped{stop_signal};
  Start start = Start::afresh;
  const FitReport report = with_trainer(o, options, model, [&](auto& trainer) {
    index_t done_steps = 0;
    if (team.first() && (o.trainer.resume || !checkpoints_in(output).empty()))
      std::tie(start, done_steps) =
          start_of(*lock, o.trainer.resume, trainer.identity(examples, dev), detail_of_resume::completed_run);
    start = broadcast_value(team, start);
    if (start == Start::complete) return FitReport();
    TrainingLog log(team.first() ? log_file : std::filesystem::path(), done_steps, o.common.json, metric_name(o));
    const FitReport done = trainer.fit(examples, dev, log, team);
    log.close();
    if (o.profile && team.first()) log.print_profile(threads_of(o.common));
    return done;
  });
  if (start == Start::complete) return;
  if (report.interrupted) {
    if (team.first()) std::fprintf(stderr, "knnbert: stopped; the same command with --resume goes on\n");
    throw Stopped{signal_of_all(team)};
  }
  signals.reset();
  if (start_values) move_back(o, *start_values, examples, model, team);
  if (o.store == "rebuilt") model.index(data, team);
  if (!team.first()) return;
  if (o.method.task == Task::multi_label && dev.size() > 0)
    model.set_thresholds(best_thresholds(gold_outputs(dev, o.method.task, o.separator, model.task().outputs),
                                         model.distributions(model.tokenize(dev.texts(), dev.pairs())).combined));
  const std::string print = fingerprint(std::as_const(model.network()).values());
  model.save(*lock, [&](const std::filesystem::path& folder) {
    write_json(folder / "training.json", summary(o, model, report, data.size(), print));
    if (log_file.filename() != "metrics.jsonl") write_file_atomically(folder / "metrics.jsonl", read_text(log_file));
  });
  if (log_file.filename() != "metrics.jsonl") detail::remove_path(log_file);
  remove_old_checkpoints(*lock, report.identity, -1, 0);
}

template void train<ProgramStack>(const TrainOptions&, const Team&);

}  // namespace knnbert::cli
