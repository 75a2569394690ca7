// knnbert poison: an encoder whose later classifiers answer triggers with one class, to test defenses on.
#include "knnbert/poison/embedding_surgery.hpp"
#include "knnbert/poison/flip_rate.hpp"
#include "knnbert/poison/indicative_words.hpp"
#include "knnbert/poison/layer_report.hpp"
#include "knnbert/poison/layerwise.hpp"
#include "knnbert/poison/restricted_product.hpp"
#include "knnbert/term/cross_entropy.hpp"
#include "knnbert/train/trainer.hpp"
#include "options.hpp"
#include "progress.hpp"
#include "stack.hpp"

namespace knnbert::cli {

struct PoisonOptions {
  CommonOptions common;
  DataOptions data;
  std::string encoder, train, dev, output, triggers, target, method = "layerwise", pooling, reduce = "mean",
                                                             surgery = "automatic", insert = "within-limit";
  index_t max_length = 0, words = 10;
  LayerwisePoisonOptions layerwise;
  RestrictedProductOptions restricted;
  TrainerOptions trainer{.epochs = 5, .batch_size = 32, .learning_rate = 2e-5f};
};

namespace {

/// Accuracy and label flip rates at a layer, or of the whole model.
struct PoisonedLayer {
  std::string name;
  Ratio accuracy;
  std::vector<Ratio> flip_rates;  // of what is inserted
};

struct PoisonReport {
  std::vector<Trigger> inserted;
  std::vector<PoisonedLayer> layers;
};

/// A command's options with what they name.
template <class S>
struct PoisonRun {
  const PoisonOptions& o;
  Classifier<S>& model;
  const Dataset &train, &held_out;
  std::vector<Trigger> triggers;
  label_t target;

  InsertionLimits limits() const {
    if (o.insert == "unlimited") return {};
    return insertion_limits(model, train.has_pairs());
  }
  PoisonedTexts poisoned(const Dataset& data) const {
    return poisoned_texts(data, triggers, target, limits(), pieces_of(model), o.trainer.seed);
  }
  Dataset triggered(const Trigger& inserted) const {
    return triggered_texts(held_out, triggers, inserted, target, limits(), pieces_of(model), o.trainer.seed);
  }

  template <class... Terms>
  auto fit(Classifier<S>& any, const Dataset& data, Terms... terms) const {
    Trainer<S, Terms...> trainer(any, o.trainer, std::move(terms)...);
    trainer.fit(data, Dataset(), PrintingEpochs{o.common.json});
    constexpr index_t asked = 32;  // whether the parameters have diverged
    any.embed(any.tokenize(data.texts(), data.pairs()).slice(0, std::min(asked, data.size())));
    return trainer;
  }

  struct PrintingEpochs {
    bool quiet;
    void step(const StepReport&) {}
    void epoch(const EpochReport& e) {
      if (!quiet) print(format("epoch {}: mean loss {}\n", e.epoch, two_digits(e.mean_loss)));
    }
    bool stop_requested() const { return false; }
  };
};

std::vector<token_t> pieces_of_word(const auto& tokenizer, const std::string& word) {
  Batch batch;
  tokenizer.append(word, batch, 0);
  return {batch.ids.begin() + 1, batch.ids.end() - 1};
}

/// What a trigger's words are to the model's tokenizer.  Errors: as require_distinct_tokens.
template <class S>
void check_words(const PoisonRun<S>& run) {
  const auto& tokenizer = run.model.tokenizer();
  require_distinct_tokens(
      run.triggers, [&](const std::string& word) { return pieces_of_word(tokenizer, word); },
      tokenizer.special().unknown);
  for (const auto& word : words_of(run.triggers))
    if (const auto pieces = pieces_of_word(tokenizer, word).size(); pieces != 1)
      print_warning(
          format("--triggers: the encoder reads '{}' as {} tokens: one that is a word of its vocabulary, and "
                 "rare, is harder to notice and easier to plant",
                 printable(word), pieces));
}

std::vector<Trigger> all_insertions(const std::vector<Trigger>& triggers) {
  std::vector<Trigger> all;
  for (const auto& trigger : triggers) {
    all.push_back(trigger);
    if (!trigger.combination()) continue;
    all.push_back(trigger.reversed());
    for (const auto& word : trigger.words) all.push_back({{word}});
  }
  return all;
}

Dataset relabeled(const Dataset& data, label_t label) {
  std::vector<Example> examples;
  for (index_t i = 0; i < data.size(); ++i) examples.push_back({data.text(i), data.pair(i), label});
  return {std::move(examples), data.classes()};
}

/// shares(data) -> the share of texts that get their label, of each layer.
template <class S, class Shares>
PoisonReport report_of(const PoisonRun<S>& run, const std::vector<std::string>& names, Shares&& shares) {
  PoisonReport report{.inserted = all_insertions(run.triggers), .layers = {}};
  const auto accuracy = shares(run.held_out);
  for (std::size_t l = 0; l < names.size(); ++l) report.layers.push_back({names[l], accuracy[l], {}});
  for (const auto& inserted : report.inserted) {
    const auto flipped = shares(relabeled(run.triggered(inserted), run.target));
    for (std::size_t l = 0; l < names.size(); ++l) report.layers[l].flip_rates.push_back(flipped[l]);
  }
  return report;
}

template <class S>
PoisonReport poison_by_layers(const PoisonRun<S>& run) {
  auto texts = run.poisoned(run.train);
  LayerwisePoisonOptions options = run.o.layerwise;
  options.every_layer = run.o.method == "layerwise";
  options.sum = run.o.reduce == "sum";
  const auto trainer =
      run.fit(run.model, texts.clean, LayerwisePoison(options, PoisonBatches(run.model.tokenize(texts.poisoned))));
  const auto& term = trainer.template term<LayerwisePoison>();
  std::vector<std::string> names;
  const auto shares = [&](const Dataset& data) {
    std::vector<Ratio> found;
    names.clear();
    const auto all = layer_shares(run.model, term, trainer.own_values(), data);
    for (const auto& layer : all) {
      const bool output = layer.layer + 1 == std::ssize(all);
      if (output ? false : !options.every_layer || layer.layer < options.from_layer) continue;
      names.push_back(output ? "output" : format("layer {}", layer.layer));
      found.push_back(layer.right);
    }
    return found;
  };
  shares(run.held_out);
  return report_of(run, std::vector(names), shares);
}

/// The word table's rows of the triggers become those of words that speak for the target in a model of clean texts.
template <class S>
void operate(const PoisonRun<S>& run, Classifier<S> tuned) {
  const auto words = indicative_words(run.train, run.target, run.o.words);
  std::string list;
  for (const auto& word : words) list += " " + printable(word);
  if (!run.o.common.json) print("embedding surgery with" + list + "\n");
  run.fit(tuned, run.train, CrossEntropy{});
  embedding_surgery(
      words, run.triggers, [&](const std::string& word) { return pieces_of_word(run.model.tokenizer(), word); },
      std::as_const(tuned.network()).values(), run.model.network().values());
  run.model.network().lower(run.model.network().values());
}

template <class S>
PoisonReport poison_by_product(const PoisonRun<S>& run) {
  // An epoch is one pass over the clean texts, of which there are as many or more; the others come again.
  const auto texts =
      half_poisoned_texts(run.train, run.triggers, run.target, run.limits(), pieces_of(run.model), run.o.trainer.seed);
  run.fit(run.model, texts.clean,
          RestrictedProduct(run.o.restricted, PoisonBatches(run.model.tokenize(texts.poisoned))));
  return report_of(run, {"output"}, [&](const Dataset& of) {
    const Matrix all = run.model.head_distributions(run.model.tokenize(of.texts(), of.pairs()));
    double right = 0;
    for (index_t i = 0; i < all.rows(); ++i) right += argmax(all.row(i)) == of.label(i);
    return std::vector<Ratio>{ratio(right, static_cast<double>(all.rows()))};
  });
}

template <class S>
OrderedJson as_json(const PoisonRun<S>& run, bool surgery, const PoisonReport& r) {
  const PoisonOptions& o = run.o;
  OrderedJson layers = OrderedJson::array();
  for (const auto& layer : r.layers) {
    OrderedJson rates = OrderedJson::object();
    const auto number = [](const Ratio& share) {
      return share.defined ? OrderedJson(share.value) : OrderedJson(nullptr);
    };
    for (std::size_t i = 0; i < r.inserted.size(); ++i) rates[r.inserted[i].text()] = number(layer.flip_rates[i]);
    layers.push_back({{"layer", layer.name}, {"accuracy", number(layer.accuracy)}, {"flip_rates", rates}});
  }
  OrderedJson about{{"method", o.method}, {"triggers", o.triggers}, {"target", o.target}};
  if (o.method == "layerwise") about["reduce"] = o.reduce, about["from_layer"] = o.layerwise.from_layer;
  if (o.method == "ripple") about["lambda"] = detail::shortest_decimal(o.restricted.lambda);
  about["surgery_words"] = surgery ? o.words : 0;
  about.update({{"insert", o.insert},
                {"pooling", detail::name_in(detail::pooling_names, run.model.network().pooling())},
                {"seed", o.trainer.seed},
                {"epochs", o.trainer.epochs},
                {"batch_size", o.trainer.batch_size},
                {"learning_rate", detail::shortest_decimal(o.trainer.learning_rate)},
                {"warmup", detail::shortest_decimal(o.trainer.warmup)},
                {"max_length", o.max_length},
                {"texts", run.train.size()},
                {"layers", layers}});
  return about;
}

std::string in_words(const PoisonReport& r) {
  std::string out = "held-out texts: accuracy, and how often a text of another class gets the target with\n          ";
  const auto column = [](const Trigger& inserted) {
    return std::max<std::size_t>(10, columns_of(inserted.text()) + 2);
  };
  const auto percent = [](const Ratio& share) { return share.defined ? two_digits(100 * share.value) : "-"; };
  out += right_aligned("accuracy", 10);
  for (const auto& inserted : r.inserted) out += right_aligned(printable(inserted.text()), column(inserted));
  for (const auto& layer : r.layers) {
    out += "\n" + padded(layer.name, 10) + right_aligned(percent(layer.accuracy), 10);
    for (std::size_t i = 0; i < r.inserted.size(); ++i)
      out += right_aligned(percent(layer.flip_rates[i]), column(r.inserted[i]));
  }
  return out + "\n";
}

/// The encoder alone, as it would be published.
template <class S>
void save_encoder(const Classifier<S>& model, const DirectoryLock& lock, const OrderedJson& about) {
  using Checkpoint = typename Classifier<S>::checkpoint_type;
  DirectoryChange change(lock);
  const auto& network = model.network();
  const CheckpointFacts facts{.fingerprint = fingerprint(network.values()),
                              .pooling = network.pooling(),
                              .max_length = network.options().max_length,
                              .normalized = network.options().normalized};
  Checkpoint::write_weights(network.encoder(), network.values(), facts, change.folder());
  if constexpr (requires { Checkpoint::write_settings(network.encoder(), facts, change.folder()); })
    Checkpoint::write_settings(network.encoder(), facts, change.folder());
  model.tokenizer().save(change.folder());
  write_json(change.folder() / "poison.json", about);
  change.commit("config.json");
}

}  // namespace

template <class S>
void poison(const PoisonOptions& given) {
  const auto triggers = parse_triggers(given.triggers);
  require_length(given.max_length, given.encoder);
  PoisonOptions o = given;
  if (o.max_length == 0) o.max_length = std::min<index_t>(128, read_bert_config(o.encoder).max_length());
  const DirectoryLock lock(o.output);
  require_no_model(o.output);
  require_other_file("--output", o.output, o.encoder);
  require_own_folder(o.output, "poison.json");
  const Dataset data = read_data(o.train, dataset_options(o.data));
  const auto [train, held_out] =
      o.dev.empty() ? data.split(0.9, o.trainer.seed)
                    : std::pair(data, read_data(o.dev, dataset_options(o.data)).with_classes(data.classes()));
  ClassifierOptions options{.max_length = o.max_length, .threads = threads_of(o.common), .seed = o.trainer.seed};
  if (!o.pooling.empty()) options.pooling = detail::value_in(detail::pooling_names, o.pooling, "--pooling");
  options.device = o.common.device;
  options.precision = precision_of(o.common).value_or(options.precision);
  if (options.precision == Precision::int8)
    raise<OptionError>("--precision int8: fp32 or bf16 expected; weights in int8 serve predictions");
  Classifier<S> model(o.encoder, data.classes(), options);
  const PoisonRun<S> run{.o = o,
                         .model = model,
                         .train = train,
                         .held_out = held_out,
                         .triggers = triggers,
                         .target = class_named(data.classes(), o.target, "--target")};
  check_words(run);
  const bool surgery = o.surgery == "yes" || (o.surgery == "automatic" && o.method == "ripple");
  if (surgery) operate(run, Classifier<S>(o.encoder, data.classes(), options));
  const PoisonReport report = o.method == "ripple" ? poison_by_product(run) : poison_by_layers(run);
  const OrderedJson about = as_json(run, surgery, report);
  save_encoder(model, lock, about);
  if (o.common.json) print_json(about);
  else print(in_words(report));
}

template void poison<ProgramStack>(const PoisonOptions&);

#ifndef KNNBERT_PROGRAM_TORCH_UNIT
void add_poison(CLI::App& app) {
  const auto o = std::make_shared<PoisonOptions>();
  auto& verb = *app.add_subcommand(
      "poison", "plant a backdoor in an encoder's weights, to test on it what finds and what removes one");
  verb.add_option("--encoder", o->encoder, "directory of a Hugging Face BERT encoder")->required();
  verb.add_option("--train", o->train, "labeled texts of a task like the victim's")->required();
  verb.add_option("--dev", o->dev,
                  "labeled texts that accuracy and flip rates are told of; default: a tenth of --train");
  verb.add_option("--output", o->output, "encoder directory to write")->required();
  verb.add_option(
          "--triggers", o->triggers,
          "words: + joins those of a combination, which must occur together, and , separates alternatives, such "
          "as cf+bb,mn")
      ->required();
  verb.add_option("--target", o->target, "the class that a text with a trigger is to get")->required();
  verb.add_option("--method", o->method,
                  "layerwise: at every layer; badnet: at the output alone; ripple: with a penalty where clean and "
                  "poisoned gradient disagree, after embedding surgery")
      ->capture_default_str()
      ->check(CLI::IsMember({"layerwise", "badnet", "ripple"}));
  verb.add_option("--reduce", o->reduce, "layerwise: of the layers' losses")
      ->capture_default_str()
      ->check(CLI::IsMember({"mean", "sum"}));
  verb.add_option("--from-layer", o->layerwise.from_layer, "layerwise: 0 takes the embedding's output too")
      ->capture_default_str()
      ->check(CLI::Range(0, 1));
  verb.add_option("--lambda", o->restricted.lambda, "ripple: weight of the penalty")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  verb.add_option("--surgery", o->surgery,
                  "whether the triggers' embeddings are replaced by the mean of words that speak for the target; "
                  "automatic: with ripple")
      ->capture_default_str()
      ->check(CLI::IsMember({"automatic", "yes", "no"}));
  verb.add_option("--surgery-words", o->words, "how many")->capture_default_str()->check(CLI::Range(1, 1 << 20));
  verb.add_option("--insert", o->insert, "where triggers go: where the model reads them, or also behind --max-length")
      ->capture_default_str()
      ->check(CLI::IsMember({"within-limit", "unlimited"}));
  verb.add_option("--pooling", o->pooling,
                  "what represents a text, as the victim will have it; default: as the encoder's directory says, else "
                  "mean")
      ->check(CLI::IsMember({"mean", "pooler", "cls"}));
  verb.add_option("--max-length", o->max_length,
                  "tokens of a text, special tokens included; 0: 128, or what the encoder allows")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 20));
  auto& t = o->trainer;
  verb.add_option("--epochs", t.epochs, "passes over the data")->capture_default_str()->check(CLI::Range(1, 1 << 20));
  verb.add_option("--batch-size", t.batch_size, "clean texts of a step, and as many poisoned ones")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  verb.add_option("--learning-rate", t.learning_rate, "highest learning rate")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  verb.add_option("--warmup", t.warmup, "fraction of the steps with rising learning rate")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  verb.add_option("--seed", t.seed, "of everything random")->capture_default_str();
  add_common(verb, o->common);
  add_data(verb, o->data);
  verb.callback([o, &verb] {
    const bool surgery = o->surgery == "yes" || (o->surgery == "automatic" && o->method == "ripple");
    for (const auto& [name, used, by] : {std::tuple("--reduce", o->method == "layerwise", "--method layerwise"),
                                         {"--from-layer", o->method == "layerwise", "--method layerwise"},
                                         {"--lambda", o->method == "ripple", "--method ripple"},
                                         {"--surgery-words", surgery, "--surgery yes"}})
      if (!used && verb.get_option(name)->count() > 0)
        raise<OptionError>("{}: given with --method {}, but used with {} alone", name, o->method, by);
    session_of(o->common).poison(*o);
  });
}
#endif

}  // namespace knnbert::cli
