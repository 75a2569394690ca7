#include "methods.hpp"

#include "knnbert/io/json.hpp"
#include "knnbert/model/model_file.hpp"
#include "knnbert/train/class_weights.hpp"

namespace knnbert::cli {

namespace {

constexpr std::pair<TermDropout, const char*> dropout_names[] = {
    {TermDropout::shared, "shared"}, {TermDropout::fresh, "fresh"}, {TermDropout::off, "off"}};
constexpr std::pair<TeacherKind, const char*> teacher_names[] = {
    {TeacherKind::window, "sda"}, {TeacherKind::vote, "sdv"}, {TeacherKind::average, "ema"}};

SmoothnessOptions smoothness_options(const MethodOptions& o) {
  SmoothnessOptions s = o.smoothness;
  s.dropout = detail::value_in(dropout_names, o.smart_dropout, "--smart-dropout");
  s.scale = o.smart_scale == "rescaled" ? PerturbationScale::rescaled : PerturbationScale::projected;
  s.scope = o.smart_scope == "token" ? PerturbationScope::token : PerturbationScope::text;
  return s;
}

void add_queue_options(CLI::App& verb, MethodOptions& o) {
  auto& c = o.contrastive;
  const char* group = "Contrast";
  verb.add_option("--lambda", o.lambda, "weight of the contrastive loss; the cross entropy has the rest")
      ->default_str("recipe")
      ->check(CLI::Range(0.0, 1.0))
      ->group(group);
  verb.add_option("--temperature", o.temperature, "of the contrastive loss")
      ->default_str("recipe")
      ->check(CLI::PositiveNumber)
      ->group(group);
  verb.add_option("--momentum", c.momentum, "of the key encoder")
      ->default_str("recipe")
      ->check(CLI::Range(0.0, 1.0))
      ->group(group);
  verb.add_option("--queue", o.queue, "which keys stay: the last ones, or the last ones of every class")
      ->capture_default_str()
      ->check(CLI::IsMember({"fifo", "class-balanced"}))
      ->group(group);
  verb.add_option("--queue-size", c.capacity, "keys in the queue")
      ->default_str("recipe")
      ->check(CLI::Range(1, 1 << 28))
      ->group(group);
  verb.add_option("--positives", c.positives, "same-class examples encoded for every query")
      ->default_str("recipe")
      ->check(CLI::Range(0, 1024))
      ->group(group);
  verb.add_option("--top-k", c.contrast.most_similar, "most similar positives; random-positive: positives")
      ->default_str("recipe")
      ->check(CLI::Range(0, 1 << 20))
      ->group(group);
  verb.add_option("--end-k", c.contrast.least_similar, "least similar positives")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 20))
      ->group(group);
  verb.add_option("--clusters", c.clusters, "cluster-moco: clusters of the texts")
      ->default_str("recipe")
      ->check(CLI::Range(1, 1 << 20))
      ->group(group);
  verb.add_option("--key-precision", o.key_precision,
                  "numbers that the key encoder's products multiply; default: as --precision says")
      ->check(CLI::IsMember({"fp32", "bf16", "int8"}))
      ->group(group);
  verb.add_flag("--no-key-dropout", o.no_key_dropout, "encode keys without dropout")->group(group);
  verb.add_flag("--no-warm-up", o.no_warm_up, "start with an empty queue")->group(group);
  verb.add_flag("--no-enqueue", o.no_enqueue, "what is encoded for queries does not enter the queue")->group(group);
  verb.add_flag("--exclude-self", o.exclude_self, "a query is never its own positive")->group(group);
}

/// Switches that reproduce what the authors' programs do where their papers say something else.
void add_reference_options(CLI::App& verb, MethodOptions& o) {
  auto& c = o.contrastive;
  const char* group = "Contrast, as released";
  verb.add_option("--reduction", o.reduction, "how the contrastive loss is averaged over anchors")
      ->capture_default_str()
      ->check(CLI::IsMember({"anchor_mean", "pair_mean"}))
      ->group(group);
  verb.add_option("--lists", o.lists, "which keys an anchor ranks")
      ->capture_default_str()
      ->check(CLI::IsMember({"per_query", "batch_min"}))
      ->group(group);
  verb.add_option("--overlap", o.overlap, "of most and least similar positives")
      ->capture_default_str()
      ->check(CLI::IsMember({"unique", "duplicate"}))
      ->group(group);
  verb.add_option("--warm-up-keys", o.warm_up_keys, "that fill the queue first: projected features or embeddings")
      ->capture_default_str()
      ->check(CLI::IsMember({"projected", "pooled"}))
      ->group(group);
  verb.add_option("--queue-init", o.queue_init, "what the queue holds before that: nothing, or noise of random classes")
      ->capture_default_str()
      ->check(CLI::IsMember({"empty", "random"}))
      ->group(group);
  verb.add_option("--invalid-anchor", o.invalid_anchor,
                  "a query without a positive or a negative: left out, or no contrast for its whole batch")
      ->capture_default_str()
      ->check(CLI::IsMember({"skip_anchor", "drop_batch"}))
      ->group(group);
  verb.add_option("--scl-input", o.scl_input,
                  "scl: embeddings of length 1 or logits; default: logits for the released loss, else embeddings")
      ->check(CLI::IsMember({"pooled", "logits"}))
      ->group(group);
  verb.add_option("--scl-loss", o.scl_loss, "scl: the loss that was meant, or the released one")
      ->capture_default_str()
      ->check(CLI::IsMember({"intended", "released"}))
      ->group(group);
  verb.add_flag("--shared-ranks", c.choice.shared_ranks, "random-positive: one draw of ranks for the whole batch")
      ->group(group);
  verb.add_option("--cluster-rule", o.cluster_rule,
                  "cluster-moco: positives share cluster and class, or both or neither")
      ->capture_default_str()
      ->check(CLI::IsMember({"conjunction", "xnor"}))
      ->group(group);
  verb.add_flag("--interleaved-negatives", c.choice.interleaved_negatives,
                "cluster-moco: each positive is compared with a slice of the negatives")
      ->group(group);
}

void add_smart_options(CLI::App& verb, MethodOptions& o) {
  auto& s = o.smoothness;
  auto& p = o.proximal_options;
  const char* group = "SMART";
  verb.add_flag("--smart", o.smart, "predictions must not move under a small perturbation of the embeddings")
      ->group(group);
  const auto number = [&](const char* name, auto& value, const char* what) {
    verb.add_option(name, value, what)->capture_default_str()->check(CLI::NonNegativeNumber)->group(group);
  };
  number("--smart-weight", s.weight, "weight of the divergence");
  number("--smart-epsilon", s.epsilon, "largest number of the perturbation");
  number("--smart-sigma", s.sigma, "standard deviation of the noise that it starts from");
  number("--smart-eta", s.eta, "length of an ascent step");
  verb.add_option("--smart-ascent-steps", s.ascent_steps, "steps that look for the worst perturbation")
      ->capture_default_str()
      ->check(CLI::Range(0, 1024))
      ->group(group);
  verb.add_option("--smart-dropout", o.smart_dropout, "masks of the perturbed passes: the clean one's, others or none")
      ->capture_default_str()
      ->check(CLI::IsMember({"shared", "fresh", "off"}))
      ->group(group);
  verb.add_option("--smart-scale", o.smart_scale, "within epsilon, or of size 1 as released")
      ->capture_default_str()
      ->check(CLI::IsMember({"projected", "rescaled"}))
      ->group(group);
  verb.add_option("--smart-scope", o.smart_scope, "what a step's largest number is taken over")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "token"}))
      ->group(group);
  verb.add_option(
          "--proximal", o.proximal,
          "keep updates near an average of the earlier values (momentum, beside --smart what a recipe says), or "
          "near the last ones")
      ->default_str("recipe")
      ->check(CLI::IsMember({"off", "momentum", "plain"}))
      ->group(group);
  verb.add_option("--proximal-steps", p.updates_per_batch, "updates on each batch")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024))
      ->group(group);
  number("--proximal-weight", p.weight, "weight of the divergence");
  number("--proximal-early-momentum", p.early_momentum, "of the average, for the first tenth of the updates");
  number("--proximal-momentum", p.momentum, "of the average, then");
  for (const char* momentum : {"--proximal-early-momentum", "--proximal-momentum"})
    verb.get_option(momentum)->default_str("recipe");
}

void add_cat_options(CLI::App& verb, MethodOptions& o) {
  auto& a = o.adversarial;
  const char* group = "Contrastive adversarial training (CAT)";
  verb.add_flag("--cat", o.cat, "train on texts read with perturbed words too, and contrast both readings")
      ->group(group);
  const auto number = [&](const char* name, auto& value, const char* what) {
    verb.add_option(name, value, what)->capture_default_str()->check(CLI::NonNegativeNumber)->group(group);
  };
  number("--cat-lambda", a.lambda, "weight of the contrast; each cross entropy has half of the rest");
  number("--cat-epsilon", a.epsilon, "length of the step");
  number("--cat-temperature", a.temperature, "of the contrast");
  verb.add_option("--cat-projection", a.projection, "width of what is contrasted")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 16))
      ->group(group);
  verb.add_option("--cat-step", o.cat_step, "the gradient's sign (FGSM), or the gradient brought to that length (FGM)")
      ->capture_default_str()
      ->check(CLI::IsMember({"sign", "l2"}))
      ->group(group);
}

void add_teacher_options(CLI::App& verb, MethodOptions& o) {
  auto& d = o.distillation;
  const char* group = "Self-ensemble and self-distillation";
  verb.add_option("--distill", o.distill,
                  "who teaches: the mean of the last values (sda), the mean of their answers (sdv), or an exponential "
                  "average of all values (ema)")
      ->capture_default_str()
      ->check(CLI::IsMember({"off", "sda", "sdv", "ema"}))
      ->group(group);
  verb.add_option("--distill-weight", d.weight, "weight of the difference to the teacher")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber)
      ->group(group);
  verb.add_option("--distill-window", d.window, "how many of the last values teach")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024))
      ->group(group);
  verb.add_flag("--distill-evaluate-teacher", d.evaluate_teacher, "evaluate, index and save the teacher")->group(group);
  verb.add_option("--average", o.average, "evaluate, index and save the mean of all values of the run")
      ->capture_default_str()
      ->check(CLI::IsMember({"off", "se"}))
      ->group(group);
  verb.add_option("--average-from", o.average_from, "fraction of the run after which the mean starts")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 0.999))
      ->group(group);
}

}  // namespace

void add_method_options(CLI::App& verb, MethodOptions& o) {
  verb.add_option("--method", o.name,
                  "what to minimize: cross entropy alone, or beside a contrast: KNN-BERT's, MoCo's with one positive, "
                  "against a bank that never moves, with positives at random, with positives of the same cluster of "
                  "texts, or of the examples of a batch (SCL)")
      ->default_str("recipe")
      ->check(CLI::IsMember({"ce", "knn-bert", "moco", "memory-bank", "random-positive", "cluster-moco", "scl"}));
  verb.add_option("--label-smoothing", o.label_smoothing, "of the cross entropy")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  verb.add_option(
          "--class-weights", o.class_weights,
          "how much the cross entropy of an example counts: none, alike; balanced, by 1 / the number of examples "
          "of its class; sqrt, by the root of that; or a JSON file with a number for every class")
      ->capture_default_str();
  add_queue_options(verb, o);
  add_reference_options(verb, o);
  add_smart_options(verb, o);
  add_cat_options(verb, o);
  add_teacher_options(verb, o);
}

std::vector<float> weights_of(const MethodOptions& o, const std::vector<std::string>& classes,
                              std::span<const index_t> counts) {
  if (o.class_weights == "none") return {};
  if (o.class_weights == "balanced") return class_weights(counts, ClassWeighting::balanced);
  if (o.class_weights == "sqrt") return class_weights(counts, ClassWeighting::square_root);
  if (!o.class_weights.ends_with(".json"))
    raise<OptionError>("--class-weights: '{}' given, none, balanced, sqrt or a file NAME.json expected",
                       o.class_weights);
  const Json numbers = read_json(o.class_weights);
  if (numbers.is_object())
    for (const auto& [name, weight] : numbers.items())
      if (std::find(classes.begin(), classes.end(), name) == classes.end())
        raise<OptionError>("--class-weights: class '{}' given in {}, one of the data expected", name, o.class_weights);
  std::vector<float> weights;
  for (const auto& name : classes) {
    weights.push_back(require<float>(numbers, name, o.class_weights));
    if (!(weights.back() > 0 && std::isfinite(weights.back())))
      raise<OptionError>("--class-weights: {} given for class '{}' in {}, a positive number expected", weights.back(),
                         name, o.class_weights);
  }
  return weights;
}

MethodDefaults paper_defaults(const std::string& method) {
  if (method == "scl") return {.lambda = 0.9f, .temperature = 0.3f};
  if (method == "moco") return {.lambda = 0.05f, .positives = 1};
  if (method == "memory-bank") return {.momentum = 1, .positives = 0};
  return {};
}

QueueChoice choice_of(const MethodOptions& o) {
  QueueChoice choice{.kind = o.queue == "class-balanced" ? QueueKind::class_balanced : QueueKind::fifo,
                     .shared_ranks = o.contrastive.choice.shared_ranks,
                     .cluster_rule = o.cluster_rule == "xnor" ? ClusterRule::xnor : ClusterRule::conjunction,
                     .interleaved_negatives = o.contrastive.choice.interleaved_negatives};
  if (o.name == "memory-bank") choice.kind = QueueKind::memory_bank;
  if (o.name == "cluster-moco") choice.kind = QueueKind::clustered;
  if (o.name == "random-positive") choice.positives = PositiveRule::random;
  if (o.name == "moco") choice.positives = PositiveRule::own_key;
  if (choice.kind != QueueKind::fifo && choice.kind != QueueKind::class_balanced && o.queue != "fifo")
    raise<OptionError>("--queue: {} given, fifo expected: --method {} has a queue of its own", o.queue, o.name);
  return choice;
}

QueueContrastiveOptions contrastive_options(const MethodOptions& o) {
  QueueContrastiveOptions c = o.contrastive;
  c.weight = o.lambda;
  c.key_dropout = !o.no_key_dropout;
  c.warm_up = !o.no_warm_up;
  c.enqueue = !o.no_enqueue;
  c.pooled_warm_up = o.warm_up_keys == "pooled";
  c.random_fill = o.queue_init == "random";
  c.drop_batch = o.invalid_anchor == "drop_batch";
  c.choice = choice_of(o);
  if (!o.key_precision.empty()) c.key_precision = precision_from(o.key_precision);
  c.contrast.temperature = o.temperature;
  c.contrast.reduction = o.reduction == "pair_mean" ? Reduction::pair_mean : Reduction::anchor_mean;
  c.contrast.lists = o.lists == "batch_min" ? Lists::batch_min : Lists::per_query;
  c.contrast.overlap = o.overlap == "duplicate" ? Overlap::duplicate : Overlap::unique;
  if (c.choice.kind == QueueKind::memory_bank && c.positives > 0)
    raise<OptionError>("--positives: {} given, 0 expected: the keys of --method memory-bank never change", c.positives);
  return c;
}

void require_task(const MethodOptions& o) {
  if (o.task == Task::single_label) return;
  const std::string task = detail::name_in(detail::task_names, o.task);
  const auto require = [&](bool right, const char* option, const char* expected) {
    if (!right) raise<OptionError>("{}: {} expected with --task {}", option, expected, task);
  };
  const auto refuse = [&](bool given, const char* flag) {
    if (given) raise<OptionError>("{}: not with --task {}", flag, task);
  };
  if (o.task == Task::regression) require(o.name == "ce", "--method", "ce");
  require(o.name == "ce" || o.name == "knn-bert", "--method", "ce or knn-bert");
  require(o.queue == "fifo", "--queue", "fifo");
  require(o.label_smoothing == 0, "--label-smoothing", "0");
  require(o.class_weights == "none", "--class-weights", "none");
  refuse(o.cat, "--cat");
  if (o.task == Task::regression) return;
  refuse(o.smart, "--smart");
  require(o.proximal == "off", "--proximal", "off");
}

MethodTerms terms_of(const MethodOptions& o) {
  MethodTerms terms;
  CrossEntropy cross_entropy = {.weight = 1 - (o.has_contrast() ? o.lambda : 0),
                                .label_smoothing = o.label_smoothing,
                                .class_weights = o.weights};
  require_task(o);
  if (o.has_queue())
    std::get<std::optional<QueueContrastive>>(terms).emplace(contrastive_options(o),
                                                             SameClassSampler{.exclude_self = o.exclude_self});
  if (o.name == "scl") {
    SupervisedContrastOptions s{.weight = o.lambda, .temperature = o.temperature, .released = o.scl_loss == "released"};
    if (!o.scl_input.empty()) s.logits = o.scl_input == "logits";
    std::get<std::optional<SupervisedContrast>>(terms).emplace(s);
  }
  if (o.smart) std::get<std::optional<Smoothness>>(terms).emplace(smoothness_options(o));
  if (o.cat) {
    if (!o.weights.empty()) raise<OptionError>("--class-weights: {} given, none expected with --cat", o.class_weights);
    ContrastiveAdversarialOptions a = o.adversarial;
    a.step = o.cat_step == "l2" ? WordStep::l2 : WordStep::sign;
    a.scale = cross_entropy.weight;
    a.label_smoothing = o.label_smoothing;
    a.validate();
    cross_entropy.weight = a.cross_entropy();
    std::get<std::optional<ContrastiveAdversarial>>(terms).emplace(a);
  }
  if (o.task == Task::multi_label)
    std::get<std::optional<BinaryCrossEntropy>>(terms).emplace(BinaryCrossEntropy{.weight = cross_entropy.weight});
  else if (o.task == Task::regression) std::get<std::optional<SquaredError>>(terms).emplace();
  else std::get<std::optional<CrossEntropy>>(terms).emplace(cross_entropy);
  if (o.proximal != "off") {
    ProximalOptions p = o.proximal_options;
    p.plain = o.proximal == "plain";
    std::get<std::optional<Proximal>>(terms).emplace(p);
  } else if (o.proximal_options.updates_per_batch > 1) {
    raise<OptionError>("--proximal-steps: {} given, 1 expected without --proximal",
                       o.proximal_options.updates_per_batch);
  }
  if (o.distill != "off") {
    DistillationOptions d = o.distillation;
    d.teacher = detail::value_in(teacher_names, o.distill, "--distill");
    std::get<std::optional<SelfDistillation>>(terms).emplace(d);
  }
  if (o.average == "se") {
    if (o.distill != "off" && o.distillation.evaluate_teacher)
      raise<OptionError>("--average: se given, off expected with --distill-evaluate-teacher: one model is saved");
    std::get<std::optional<ValueAverage>>(terms).emplace(o.average_from);
  }
  return terms;
}

}  // namespace knnbert::cli
