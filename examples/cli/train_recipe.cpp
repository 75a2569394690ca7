#include <map>

#include "knnbert/model/model_file.hpp"
#include "knnbert/train/sampler.hpp"
#include "train.hpp"

namespace knnbert::cli {

namespace {

constexpr std::pair<Score, const char*> metric_names[] = {
    {Score::accuracy, "accuracy"}, {Score::macro_f1, "macro-f1"}, {Score::f1, "f1"}, {Score::matthews, "mcc"}};

/// What the user gave for an option, if anything.
std::optional<index_t> if_given(const TrainOptions& o, const char* option, index_t value) {
  return o.given.contains(option) ? std::optional(value) : std::nullopt;
}

}  // namespace

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
  t.select_any = o.selection == "any";
  t.metric = detail::value_in(metric_names, o.metric, "--metric");
  t.sampling = o.sampling == "balanced" ? Sampling::balanced : Sampling::shuffled;
  t.dropout = !o.no_dropout;
  t.rebuild_store = !o.no_dev_store;
  t.updates_per_batch = o.method.proximal_options.updates_per_batch;
  t.checkpoints = o.output;
  t.lock = lock;
  return t;
}

TrainOptions with_task(TrainOptions o) {
  o.method.task = detail::value_in(detail::task_names, o.task, "--task");
  if (o.method.smart && !o.given.contains("proximal")) o.chosen["proximal"] = o.method.proximal = "momentum";
  if (o.method.task == Task::single_label) return o;
  if (!o.given.contains("method")) o.method.name = "ce";
  require_task(o.method);
  for (const char* option : {"metric", "positive", "sampling"})
    if (o.changed.contains(option)) raise<OptionError>("--{}: not with --task {}", option, o.task);
  if (o.common.backend != "native") raise<OptionError>("--backend: native expected with --task {}", o.task);
  if (o.separator.empty()) raise<OptionError>("--label-separator: '' given, a character expected");
  return o;
}

std::string metric_name(const TrainOptions& o) {
  if (o.method.task == Task::multi_label) return "micro_f1";
  if (o.method.task == Task::regression) return "pearson";
  return score_names[static_cast<int>(trainer_options(o, nullptr).metric)];
}

TrainOptions with_method(TrainOptions o, const TrainingFacts& facts) {
  if (o.given.contains("method") || o.recipe != "auto" || o.method.task != Task::single_label) return o;
  const bool needs_queue =
      o.trainer.part_size > 0 || o.store == "queue" || o.feature == "contrastive";  // SCL compares a whole batch
  bool asks = needs_queue;
  for (const char* option :
       {"queue",         "queue-size",     "positives",     "momentum",     "top-k",        "end-k",
        "key-precision", "no-key-dropout", "no-warm-up",    "no-enqueue",   "exclude-self", "reduction",
        "lists",         "overlap",        "clusters",      "shared-ranks", "cluster-rule", "interleaved-negatives",
        "warm-up-keys",  "queue-init",     "invalid-anchor"})
    asks = asks || o.given.contains(option);
  if (!asks && recommended(facts, {}, if_given(o, "batch-size", o.trainer.batch_size)).in_batch) o.method.name = "scl";
  o.chosen["method"] = o.method.name;
  return o;
}

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
  if (o.recipe == "paper" && o.method.has_queue()) {  // where the library's defaults are others
    if (!o.given.contains("batch-size")) o.trainer.batch_size = 16;
    if (!o.given.contains("neighbors"))
      o.classifier.neighbors = std::max<index_t>(1, o.method.contrastive.contrast.most_similar);
  }
  set("epochs", o.trainer.epochs, in_batch ? r.in_batch->epochs : r.trainer.epochs);
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
  if (m.name != "moco") set("top-k", m.contrastive.contrast.most_similar, r.contrastive.contrast.most_similar);
  if (m.name == "cluster-moco") set("clusters", m.contrastive.clusters, r.contrastive.clusters);
  return o;
}

namespace {

/// Whether a setting of queues has no use in the rule of a method.
bool is_unused_by(const MethodOptions& m, const std::string& option) {
  static const std::map<std::string, std::set<std::string>> unused{
      {"memory-bank", {"no-enqueue", "no-key-dropout", "exclude-self"}},
      {"moco", {"top-k", "end-k", "overlap"}},
      {"random-positive", {"end-k", "overlap"}},
      {"cluster-moco", {"end-k"}}};
  if (m.name == "memory-bank" && option == "momentum") return m.contrastive.momentum != 1;  // whose keys never change
  const auto found = unused.find(m.name);
  return found != unused.end() && found->second.contains(option);
}

}  // namespace

void warn_of_unused(const TrainOptions& o) {
  const MethodOptions& m = o.method;
  const std::set<std::string> of_contrast{"lambda", "temperature"},
      of_dev{"patience", "selection", "metric", "positive", "no-dev-store"},
      of_queue{"momentum",     "queue",         "queue-size",     "positives",  "top-k",
               "end-k",        "key-precision", "no-key-dropout", "no-warm-up", "no-enqueue",
               "exclude-self", "reduction",     "lists",          "overlap",    "interleaved-negatives",
               "warm-up-keys", "queue-init",    "invalid-anchor"};
  for (const std::string& name : o.changed) {
    const auto belongs = [&](bool used, const char* to) {
      if (!used) print_warning(format("--{}: does nothing without {}", name, to));
    };
    if (is_unused_by(m, name)) print_warning(format("--{}: does nothing with --method {}", name, m.name));
    if (of_contrast.contains(name)) belongs(m.has_contrast(), "a --method with a contrast");
    else if (of_queue.contains(name)) belongs(m.has_queue(), "a --method with a queue");
    else if (of_dev.contains(name) && (o.dev.empty() || o.trainer.epochs == 0))
      belongs(false, o.dev.empty() ? "--dev" : "--epochs");
    else if (name == "positive") belongs(o.metric == "f1", "--metric f1");
    else if (name == "label-separator") belongs(m.task == Task::multi_label, "--task multi-label");
    else if (name == "voting-temperature") belongs(o.voting == "softmax", "--voting softmax");
    else if (name == "distill-window") belongs(m.distill == "sda" || m.distill == "sdv", "--distill sda or sdv");
    else if (name == "proximal-momentum" || name == "proximal-early-momentum")
      belongs(m.proximal == "momentum", "--proximal momentum");
    else if (name == "clusters" || name == "cluster-rule") belongs(m.name == "cluster-moco", "--method cluster-moco");
    else if (name == "shared-ranks") belongs(m.name == "random-positive", "--method random-positive");
    else if (name == "scl-loss" || name == "scl-input") belongs(m.name == "scl", "--method scl");
    else if (name.starts_with("smart-")) belongs(m.smart, "--smart");
    else if (name.starts_with("cat-")) belongs(m.cat, "--cat");
    else if (name.starts_with("proximal-")) belongs(m.proximal != "off", "--proximal");
    else if (name.starts_with("distill-")) belongs(m.distill != "off", "--distill");
    else if (name == "average-from") belongs(m.average != "off", "--average");
    else if (name == "augment-words") belongs(o.augment.copies > 0, "--augment");
  }
}

void print_recipe(const TrainOptions& o, const TrainingFacts& facts) {
  const OrderedJson seen{{"examples", facts.examples}, {"classes", facts.classes}, {"encoder_width", facts.width}};
  if (o.common.json) return print_json({{"recipe", o.recipe}, {"seen", seen}, {"chosen", o.chosen}});
  const index_t steps = o.trainer.epochs * o.method.proximal_options.updates_per_batch *
                        ShuffledBatches::count(facts.examples * (facts.copies + 1), o.trainer.batch_size);
  const std::string classes = o.method.task == Task::regression
                                  ? std::string()
                                  : format(" of {} classes, {} a class", facts.classes, facts.per_class());
  print(format("recipe {}: {} examples{}, encoder of width {}: {} steps of {} examples\n", o.recipe, facts.examples,
               classes, facts.width, steps, o.trainer.batch_size));
  std::string chosen;
  for (const auto& [option, value] : o.chosen.items())
    chosen += format(" --{} {}", option, value.is_string() ? value.get<std::string>() : value.dump());
  if (!chosen.empty()) print(" " + chosen + "\n");
  std::fflush(stdout);
}

}  // namespace knnbert::cli
