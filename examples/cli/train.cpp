#include <atomic>
#include <set>

#include "augment.hpp"
#include "config.hpp"
#include "distributed.hpp"
#include "knnbert/train/recipe.hpp"
#include "knnbert/train/refit_head.hpp"
#include "knnbert/train/trainer.hpp"
#include "methods.hpp"
#include "options.hpp"
#include "progress.hpp"
#include "resume.hpp"
#include "stack.hpp"

namespace knnbert::cli {

struct TrainOptions {
  CommonOptions common;
  DistributedOptions distributed;
  DataOptions data;
  ClassifierOptions classifier;
  TrainerOptions trainer;
  MethodOptions method;
  AugmentOptions augment;
  std::string encoder, train, dev, output, head = "mlp", pooling, feature = "automatic", schedule = "linear";
  std::string voting = "count", selection = "combined", store = "rebuilt", metric = "accuracy", positive,
              sampling = "shuffled", task = "single-label", separator = "|";
  float phi = 0.1f, voting_temperature = 0.1f, pretrained_weight = 0;
  OrderedJson typed;  ///< every option by its name
  std::string recipe = "auto";
  std::set<std::string> given;                 ///< names of options that the user set
  std::set<std::string> changed;               ///< those of them that say something else than the default
  OrderedJson chosen = OrderedJson::object();  ///< the others that a recipe decides, with their values
  bool no_dropout = false, no_dev_store = false, profile = false;
};

namespace {

constexpr std::pair<Score, const char*> metric_names[] = {
    {Score::accuracy, "accuracy"}, {Score::macro_f1, "macro-f1"}, {Score::f1, "f1"}, {Score::matthews, "mcc"}};

ClassifierOptions classifier_options(const TrainOptions& o) {
  ClassifierOptions c = o.classifier;
  const bool contrastive =
      o.feature == "contrastive" || (o.feature == "automatic" && o.method.has_queue() && o.pretrained_weight == 0);
  if (!o.pooling.empty()) c.pooling = detail::value_in(detail::pooling_names, o.pooling, "--pooling");
  c.head_hidden_layer = o.head == "mlp";
  c.feature = contrastive ? Feature::contrastive : Feature::embedding;
  c.threads = threads_of(o.common);
  c.seed = o.trainer.seed;
  c.precision = precision_of(o.common).value_or(Precision::fp32);
  c.device = o.common.device;
  c.task = o.method.task;
  c.label_separator = o.separator;
  if (c.precision == Precision::int8 && o.trainer.epochs > 0)
    raise<OptionError>(
        "--precision int8: fp32 or bf16 expected; weights in int8 serve predictions, and a trained model can be used "
        "with them");
  return c;
}

TrainerOptions trainer_options(const TrainOptions& o, const std::shared_ptr<const DirectoryLock>& lock) {
  TrainerOptions t = o.trainer;
  t.schedule = o.schedule == "linear"   ? ScheduleKind::linear
               : o.schedule == "cosine" ? ScheduleKind::cosine
                                        : ScheduleKind::constant;
  t.selection = o.selection == "knn" ? Predictor::knn : o.selection == "head" ? Predictor::head : Predictor::combined;
  t.metric = detail::value_in(metric_names, o.metric, "--metric");
  t.sampling = o.sampling == "balanced" ? Sampling::balanced : Sampling::shuffled;
  t.dropout = !o.no_dropout;
  t.rebuild_store = !o.no_dev_store;
  t.updates_per_batch = o.method.proximal_options.updates_per_batch;
  t.checkpoints = o.output;
  t.lock = lock;
  return t;
}

/// With the method and the data that a task has.  Errors: OptionError.
TrainOptions with_task(TrainOptions o) {
  o.method.task = detail::value_in(detail::task_names, o.task, "--task");
  if (o.method.task == Task::single_label) return o;
  if (!o.given.contains("method")) o.method.name = "ce";
  require_task(o.method);
  for (const char* option : {"metric", "positive", "sampling"})
    if (o.given.contains(option)) raise<OptionError>("--{}: not given expected with --task {}", option, o.task);
  if (o.common.backend != "native") raise<OptionError>("--backend: native expected with --task {}", o.task);
  if (o.separator.empty()) raise<OptionError>("--label-separator: '' given, a character expected");
  return o;
}

/// What the dev scores are called.
std::string metric_name(const TrainOptions& o) {
  if (o.method.task == Task::multi_label) return "micro_f1";
  if (o.method.task == Task::regression) return "pearson";
  return score_names[static_cast<int>(trainer_options(o, nullptr).metric)];
}

/// What the user gave for an option, if anything.
std::optional<index_t> if_given(const TrainOptions& o, const char* option, index_t value) {
  return o.given.contains(option) ? std::optional(value) : std::nullopt;
}

/// With a method, where it is left to the recipe: knn-bert, or what does better with few texts of few classes unless an
/// option asks for a queue, its features or parts of a batch.
TrainOptions with_method(TrainOptions o, const TrainingFacts& facts) {
  if (o.given.contains("method") || o.recipe != "auto" || o.method.task != Task::single_label) return o;
  for (const char* option : {"part-size",     "store",          "feature",
                             "queue",         "queue-size",     "positives",
                             "momentum",      "top-k",          "end-k",
                             "key-precision", "no-key-dropout", "no-warm-up",
                             "no-enqueue",    "exclude-self",   "reduction",
                             "lists",         "overlap",        "clusters",
                             "shared-ranks",  "cluster-rule",   "interleaved-negatives"})
    if (o.given.contains(option)) return o;
  if (recommended(facts, {}, if_given(o, "batch-size", o.trainer.batch_size)).in_batch) o.method.name = "scl";
  o.chosen["method"] = o.method.name;
  return o;
}

/// The options that --recipe decides, with what it decides where the user did not. `chosen` says what that was.
TrainOptions with_recipe(TrainOptions o, const TrainingFacts& facts) {
  const Recipe r =
      recommended(facts, if_given(o, "epochs", o.trainer.epochs), if_given(o, "batch-size", o.trainer.batch_size));
  const bool in_batch = r.in_batch && o.method.name == "scl";
  const auto set = [&]<class V>(const char* option, V& value, const std::type_identity_t<V>& by_recipe) {
    if (o.given.contains(option)) return;
    if (o.recipe == "auto") value = by_recipe;
    if constexpr (std::is_same_v<V, float>) o.chosen[option] = detail::shortest_decimal(value);
    else o.chosen[option] = value;
  };
  set("epochs", o.trainer.epochs, r.trainer.epochs);
  set("batch-size", o.trainer.batch_size, r.trainer.batch_size);
  set("learning-rate", o.trainer.learning_rate, in_batch ? r.in_batch->learning_rate : r.trainer.learning_rate);
  set("head-learning-rate", o.trainer.head_learning_rate,
      recommended_head_rate(detail::shortest_decimal(o.trainer.learning_rate)));
  set("warmup", o.trainer.warmup, r.trainer.warmup);
  set("checkpoint-every", o.trainer.checkpoint_every, r.trainer.checkpoint_every);
  set("neighbors", o.classifier.neighbors, r.neighbors);
  set("voting", o.voting, "softmax");
  set("voting-temperature", o.voting_temperature, r.voting_temperature);
  MethodOptions& m = o.method;
  if (m.proximal == "momentum") {
    auto& p =
        m.proximal_options;  // an average that hardly moves in a short run holds answers near those of fresh heads
    set("proximal-early-momentum", p.early_momentum, std::min(p.early_momentum, r.contrastive.momentum));
    set("proximal-momentum", p.momentum, std::min(p.momentum, r.contrastive.momentum));
  }
  if (!m.has_contrast()) return o;
  const MethodDefaults paper = paper_defaults(m.name);
  const bool one_value = m.name == "memory-bank" || m.name == "moco";  // of --positives
  if (!o.given.contains("lambda")) m.lambda = paper.lambda;
  if (!o.given.contains("temperature")) m.temperature = paper.temperature;
  if (!o.given.contains("momentum")) m.contrastive.momentum = paper.momentum;
  if (!o.given.contains("positives")) m.contrastive.positives = paper.positives;
  set("lambda", m.lambda, in_batch ? r.in_batch->weight : r.contrastive.weight);
  set("temperature", m.temperature, in_batch ? r.in_batch->temperature : paper.temperature);
  if (!m.has_queue()) return o;
  set("momentum", m.contrastive.momentum, m.name == "memory-bank" ? 1.0f : r.contrastive.momentum);
  set("positives", m.contrastive.positives, one_value ? paper.positives : r.contrastive.positives);
  set("queue-size", m.contrastive.capacity, r.contrastive.capacity);
  set("top-k", m.contrastive.contrast.most_similar, r.contrastive.contrast.most_similar);
  if (m.name == "cluster-moco") set("clusters", m.contrastive.clusters, r.contrastive.clusters);
  return o;
}

/// Says which options that were given do nothing in this run.
void warn_of_unused(const TrainOptions& o) {
  const MethodOptions& m = o.method;
  const std::set<std::string> of_contrast{"lambda", "temperature"},
      of_dev{"patience", "selection", "metric", "positive", "no-dev-store"},
      of_queue{"momentum",     "queue",         "queue-size",     "positives",  "top-k",
               "end-k",        "key-precision", "no-key-dropout", "no-warm-up", "no-enqueue",
               "exclude-self", "reduction",     "lists",          "overlap",    "interleaved-negatives"};
  for (const std::string& name : o.changed) {
    const auto belongs = [&](bool used, const char* to) {
      if (!used) print_warning(format("--{}: does nothing without {}", name, to));
    };
    if (of_contrast.contains(name)) belongs(m.has_contrast(), "a --method with a contrast");
    else if (of_queue.contains(name)) belongs(m.has_queue(), "a --method with a queue");
    else if (of_dev.contains(name)) belongs(!o.dev.empty(), "--dev");
    else if (name == "clusters" || name == "cluster-rule") belongs(m.name == "cluster-moco", "--method cluster-moco");
    else if (name == "shared-ranks") belongs(m.name == "random-positive", "--method random-positive");
    else if (name == "scl-loss") belongs(m.name == "scl", "--method scl");
    else if (name.starts_with("smart-")) belongs(m.smart, "--smart");
    else if (name.starts_with("cat-")) belongs(m.cat, "--cat");
    else if (name.starts_with("proximal-")) belongs(m.proximal != "off", "--proximal");
    else if (name.starts_with("distill-")) belongs(m.distill != "off", "--distill");
    else if (name == "average-from") belongs(m.average != "off", "--average");
    else if (name == "augment-words") belongs(o.augment.copies > 0, "--augment");
  }
}

/// What the recipe saw and decided, in two lines, or as a line of JSON.
void print_recipe(const TrainOptions& o, const TrainingFacts& facts) {
  const OrderedJson seen{{"examples", facts.examples}, {"classes", facts.classes}, {"encoder_width", facts.width}};
  if (o.common.json) return print_json({{"recipe", o.recipe}, {"seen", seen}, {"chosen", o.chosen}});
  const index_t steps =
      o.trainer.epochs * ShuffledBatches::count(facts.examples * (facts.copies + 1), o.trainer.batch_size);
  print(format("recipe {}: {} examples of {} classes, {} a class, encoder of width {}: {} steps of {} examples\n ",
               o.recipe, facts.examples, facts.classes, facts.per_class(), facts.width, steps, o.trainer.batch_size));
  for (const auto& [option, value] : o.chosen.items())
    print(format(" --{} {}", option, value.is_string() ? value.get<std::string>() : value.dump()));
  print("\n");
  std::fflush(stdout);
}

/// Errors: OptionError for a queue that the stack does not have, and for rows that enter where weights are lowered.
template <class S>
void require_method(const TrainOptions& o) {
  using Queue = typename Network<S>::queue_type;
  const bool plain = !o.method.has_queue() || choice_of(o.method) == QueueChoice{};
  if (!plain && !requires(const Queue& queue) { queue.choice(); })
    raise<OptionError>(
        "--backend torch: native expected for --method {} with --queue {}, LibTorch has the queue of knn-bert alone",
        o.method.name, o.method.queue);
  const bool lowered = precision_of(o.common).value_or(Precision::fp32) != Precision::fp32;
  if (lowered && (o.method.smart || o.method.cat))
    raise<OptionError>("--precision {}: fp32 expected with {}, whose perturbations vanish in others",
                       o.common.precision, o.method.smart ? "--smart" : "--cat");
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
  if (o.augment.copies > 0)
    settings.insert(settings.end(), {{"augment", format("{}", o.augment.copies)},
                                     {"augment_words", format("{}", o.augment.most_words)}});
  if (o.method.task != Task::single_label)
    settings.insert(settings.end(), {{"task", o.task}, {"label_separator", o.separator}});
  return settings;
}

}  // namespace

template <class S>
void train(const TrainOptions& typed, const Team& team) {
  const TrainOptions given = with_task(typed);
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
  if (!settings.note.empty() && team.first()) std::fprintf(stderr, "knnbert: note: %s\n", settings.note.c_str());
  // before anything is done in vain
  const auto lock = team.first() ? std::make_shared<const DirectoryLock>(given.output) : nullptr;
  // in a team SIGTERM comes from a launcher that ends the job; it passes SIGUSR1 on to all processes
  std::optional<StopBySignals> signals(team.size() > 1 ? SIGUSR1 : SIGTERM);
  auto reading = dataset_options(given.data);
  reading.label_kind = label_kind(given.method.task);
  reading.label_separator = given.separator;
  const Dataset data = read_data(given.train, reading, !team.first());
  Dataset dev = given.dev.empty() ? Dataset() : read_data(given.dev, reading, !team.first());
  if (dev.size() > 0 && given.method.task == Task::single_label) dev = dev.with_classes(data.classes());
  const std::optional<Dataset> copies = with_copies(data, given.augment, given.trainer.seed);
  const Dataset& examples = copies ? *copies : data;
  TrainingFacts facts = training_facts(data, read_bert_config(given.encoder).hidden_size);
  facts.copies = given.augment.copies;
  const TrainOptions named = with_method(given, facts);
  Classifier<S> model(given.encoder, data.classes(), classifier_options(named));
  if (given.method.task != Task::single_label) facts.classes = model.network().classes();
  TrainOptions o = with_recipe(named, facts);
  o.method.weights = weights_of(o.method, data.classes(), data.class_counts());
  if (!o.positive.empty()) o.trainer.positive = class_named(data.classes(), o.positive, "--positive");
  if (team.first()) warn_of_unused(o), print_recipe(o, facts);
  std::optional<ParameterBlock> start_values;
  if (o.pretrained_weight > 0) start_values = std::as_const(model.network()).values();
  model.set_neighbors(o.classifier.neighbors);
  model.voting().set_name(o.voting);
  model.voting().temperature = o.voting_temperature;
  model.fusion().phi = o.phi;
  const std::filesystem::path output(o.output);
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
    TrainingLog log(team.first() ? output / "metrics.jsonl" : std::filesystem::path(), done_steps, o.common.json,
                    metric_name(o));
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
  });
  remove_old_checkpoints(*lock, report.identity, -1, 0);
}

template void train<ProgramStack>(const TrainOptions&, const Team&);

#ifndef KNNBERT_PROGRAM_TORCH_UNIT
namespace {

void add_model_options(CLI::App& verb, TrainOptions& o) {
  verb.add_option("--head", o.head, "classification head")
      ->capture_default_str()
      ->check(CLI::IsMember({"mlp", "linear"}));
  verb.add_option("--pooling", o.pooling,
                  "what represents a text; default: as the encoder's directory says (1_Pooling), else mean")
      ->check(CLI::IsMember({"mean", "pooler", "cls"}));
  verb.add_option("--feature", o.feature,
                  "what the datastore compares; automatic: contrastive features where a queue held some, unless "
                  "--pretrained-weight moves the encoder away from them, else the embedding")
      ->capture_default_str()
      ->check(CLI::IsMember({"automatic", "contrastive", "embedding"}));
  verb.add_option("--max-length", o.classifier.max_length,
                  "tokens of a text, special tokens included; default: as the encoder's directory says "
                  "(sentence-transformers' files), else 128")
      ->check(CLI::Range(3, 1 << 20));
  verb.add_option("--neighbors", o.classifier.neighbors, "neighbors that vote")
      ->default_str("recipe")
      ->check(CLI::Range(1, 1 << 20));
  verb.add_option("--voting", o.voting, "how neighbors vote")
      ->default_str("recipe")
      ->check(CLI::IsMember({"count", "softmax", "distance"}));
  verb.add_option("--voting-temperature", o.voting_temperature, "of the softmax vote")
      ->default_str("recipe")
      ->check(CLI::PositiveNumber);
  verb.add_option(
          "--store", o.store,
          "what the datastore holds: the training data encoded anew, or the keys that the queue held at the end")
      ->capture_default_str()
      ->check(CLI::IsMember({"rebuilt", "queue"}));
  verb.add_option("--phi", o.phi, "weight of the vote in the combined prediction")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
}

void add_trainer_options(CLI::App& verb, TrainOptions& o) {
  auto& t = o.trainer;
  verb.add_option("--epochs", t.epochs,
                  "passes over the data; 0: keep the pretrained encoder and only fill the datastore")
      ->default_str("recipe")
      ->check(CLI::Range(0, 1 << 20));
  verb.add_option("--batch-size", t.batch_size, "examples of a step")
      ->default_str("recipe")
      ->check(CLI::Range(1, 1 << 20));
  verb.add_option("--part-size", t.part_size, "examples of a forward and backward pass; 0: the whole step")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 20));
  verb.add_flag("--recompute", t.recompute,
                "keep fewer activations and compute them again: less memory, one forward pass more, the same result");
  verb.add_option("--learning-rate", t.learning_rate, "highest learning rate")
      ->default_str("recipe")
      ->check(CLI::NonNegativeNumber);
  verb.add_option("--head-learning-rate", t.head_learning_rate, "of the heads; 0: the same")
      ->default_str("recipe")
      ->check(CLI::NonNegativeNumber);
  verb.add_option("--frozen-layers", t.frozen_layers,
                  "blocks of the encoder, from the first, that keep their values, as the embedding then does; a step "
                  "does not go back into them, which saves time. 0: all are trained")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 20));
  verb.add_option("--pretrained-weight", o.pretrained_weight,
                  "after training the encoder's values become 1 - this times what they are and this times the "
                  "pretrained ones (WiSE-FT), and the head is fitted to that: for classes that are added later. Dev "
                  "scores are of before")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  verb.add_option("--schedule", o.schedule, "of the learning rate")
      ->capture_default_str()
      ->check(CLI::IsMember({"linear", "cosine", "constant"}));
  verb.add_option("--warmup", t.warmup, "fraction of the steps with rising learning rate")
      ->default_str("recipe")
      ->check(CLI::Range(0.0, 1.0));
  verb.add_option("--weight-decay", t.weight_decay, "decoupled; not on biases and normalizations")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  verb.add_option("--clip", t.clip_norm, "largest global norm of the gradient; 0: unlimited")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  verb.add_flag("--no-dropout", o.no_dropout, "train without dropout");
  verb.add_option("--seed", t.seed, "of everything random")->capture_default_str();
  verb.add_option("--selection", o.selection, "whose dev score chooses the best epoch")
      ->capture_default_str()
      ->check(CLI::IsMember({"knn", "head", "combined"}));
  verb.add_option("--metric", o.metric, "the dev score that chooses the best epoch")
      ->capture_default_str()
      ->check(CLI::IsMember({"accuracy", "macro-f1", "f1", "mcc"}));
  verb.add_option("--positive", o.positive, "the class of --metric f1; default: the second one");
  verb.add_option("--sampling", o.sampling,
                  "which examples an epoch has: each one once, or as many draws, of every class the same number")
      ->capture_default_str()
      ->check(CLI::IsMember({"shuffled", "balanced"}));
  verb.add_flag("--no-dev-store", o.no_dev_store,
                "do not rebuild the datastore for dev scores: only the head is measured");
  verb.add_option("--patience", t.patience, "epochs without a better dev score before training stops; 0: never")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 20));
  verb.add_option("--checkpoint-every", t.checkpoint_every, "steps between checkpoints; 0: at the end of epochs")
      ->default_str("recipe")
      ->check(CLI::Range(0, 1 << 28));
  verb.add_flag("--profile", o.profile,
                "print the time of each phase of the steps and its share of the processor's peak");
  verb.add_flag("--resume", t.resume, "continue from the newest checkpoint in the output directory");
}

}  // namespace

void add_train(CLI::App& app) {
  const auto o = std::make_shared<TrainOptions>();
  auto& verb = *app.add_subcommand("train", "fine-tune a BERT encoder and fill its datastore");
  verb.add_option("--encoder", o->encoder, "directory of a Hugging Face BERT encoder")->required();
  verb.add_option("--train", o->train, "labeled training examples")->required();
  verb.add_option("--dev", o->dev, "labeled examples that choose the best epoch");
  verb.add_option("--output", o->output, "model directory to write")->required();
  verb.add_option("--task", o->task,
                  "what a text has: one class; any number of classes, in a list or with a separator between them; or a "
                  "number")
      ->capture_default_str()
      ->check(CLI::IsMember({"single-label", "multi-label", "regression"}));
  verb.add_option("--label-separator", o->separator, "between the classes of a text, with --task multi-label")
      ->capture_default_str();
  verb.add_option("--recipe", o->recipe,
                  "what decides options that say =recipe and are not given: auto, rules over the numbers of examples "
                  "and classes and the encoder's width that make "
                  "a good classifier; paper, the constants of the KNN-BERT paper. auto: about 320 / sqrt(examples) "
                  "epochs, 1 for 100,000 and more, but at least 200 "
                  "steps; batches of 16, from 2,500 examples 32; rate 1e-4 for a width up to 384 and less for wider "
                  "ones, heads ten times that; lambda 0.5 for up to 8 "
                  "examples a class, falling with the root of their number. For 2 to 8 examples a class, and at least "
                  "two of each in a batch, method scl with lambda 0.9 and half the rate, else knn-bert")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "paper"}));
  add_method_options(verb, o->method);
  add_model_options(verb, *o);
  add_trainer_options(verb, *o);
  add_augment_options(verb, o->augment);
  add_common(verb, o->common);
  add_distributed(verb, o->distributed);
  add_data(verb, o->data);
  verb.callback([o, &verb] {
    o->typed = options_of(verb);
    for (const CLI::Option* option : verb.get_options())
      if (option->count() > 0) {
        const std::string& name = option->get_lnames().front();
        o->given.insert(name);
        const bool flag = option->get_items_expected_max() == 0;
        if (option->results().front() != (flag ? "false" : option->get_default_str())) o->changed.insert(name);
      }
    with_team(o->distributed, o->common, [&](const Team& team) { session_of(o->common).train(*o, team); });
  });
}
#endif

}  // namespace knnbert::cli
