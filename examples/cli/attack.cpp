// knnbert attack: how few replaced words make a model err.
#include "attack_datastore.hpp"
#include "attack_file.hpp"
#include "attack_page.hpp"
#include "attack_parts.hpp"
#include "knnbert/attack/classifier_victim.hpp"
#include "knnbert/model/classifier_files.hpp"
#include "knnbert/train/checkpoint.hpp"
#include "signals.hpp"

namespace knnbert::cli {

namespace {

Predictor predictor_of(const AttackVerbOptions& o) {
  return o.predictor == "knn" ? Predictor::knn : o.predictor == "head" ? Predictor::head : Predictor::combined;
}

/// A random choice of examples, in the order of the file.
Dataset chosen(const Dataset& data, const AttackVerbOptions& o) {
  if (o.examples == 0 || o.examples >= data.size()) return data;
  std::vector<Scored> draws;
  const Rng rng(o.seed, Stream::sample);
  for (index_t i = 0; i < data.size(); ++i)
    draws.push_back({static_cast<float>(rng.uniform(static_cast<std::uint64_t>(i))), i});
  std::sort(draws.begin(), draws.end(), ranks_before);
  std::vector<index_t> picked;
  for (index_t i = 0; i < o.examples; ++i) picked.push_back(draws[as_size(i)].index);
  std::sort(picked.begin(), picked.end());
  return data.select(picked);
}

/// All that results depend on.
template <class Parts>
OrderedJson run_of(const AttackVerbOptions& o, const Parts& parts, const Dataset& data) {
  OrderedJson run{{"recipe", o.recipe},
                  {"preset", o.preset},
                  {"predictor", o.predictor},
                  {"soft_vote", detail::shortest_decimal(o.soft_vote)},
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
    std::string hashes;
    for (const char* name : {"model.safetensors", "knnbert.safetensors", "datastore.safetensors", "knnbert.json"})
      if (const auto file = std::filesystem::path(directory) / name; committed_exists(file))
        hashes += detail::hash_of_file(file);
    run[key] = hashes;
  };
  add_files(o.model, "model"), add_files(o.language_model, "language_model");
  add_files(o.similarity_encoder, "similarity_encoder");
  return run;
}

/// A line on standard error, on a terminal only.
struct AttackProgress final : ProgressListener {
  explicit AttackProgress(index_t before) : before_(before) {}
  void progress(index_t done, index_t total) override {
    if (on_terminal())
      std::fprintf(stderr, "\r%td of %td examples%s", before_ + done, before_ + total, done == total ? "\n" : "");
  }
  bool stop_requested() override { return stop_signal != 0; }

 private:
  index_t before_;
};

void print_summary(const AttackVerbOptions& o, const AttackSummary& s, const std::vector<std::string>& parts) {
  if (o.common.json) {
    OrderedJson json = to_json(s);
    json["recipe"] = o.recipe, json["predictor"] = o.predictor, json["parts"] = parts;
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
  row("original accuracy", share(s.original_accuracy, attacked, all));
  row("accuracy under attack", share(s.accuracy_under_attack, s.failed, all));
  row("attack success rate", share(s.success_rate, s.successful, attacked));
  row("average perturbed words", mean(s.perturbed_words, 100, " %"));
  row("average edited characters", mean(s.edits, 100, " %"));
  row("average words per input", mean(s.words, 1, ""));
  row("average number of queries", mean(s.queries, 1, ""));
  if (s.similarity.defined) row("average similarity of successes", mean(s.similarity, 1, ""));
  print(out);
}

/// Attacks the examples behind those of a run before; each(result) hears of all, those of before first.
template <class A, class V, class Each>
void attack_rest(const A& attack, const V& victim, const Dataset& data, const Workers& workers, AttackFile* file,
                 Each&& each) {
  std::vector<OrderedJson> before;
  if (file) before = file->found();
  if (std::ssize(before) > data.size())
    raise<FormatError>("more results than the {} examples of the data given", data.size());
  for (const auto& result : before) each(result);
  std::vector<index_t> rest;
  for (index_t i = std::ssize(before); i < data.size(); ++i) rest.push_back(i);
  AttackProgress progress(std::ssize(before));
  attack.each(
      victim, data.select(rest),
      [&](index_t i, const AttackResult& result) {
        OrderedJson json{{"example", std::ssize(before) + i}};
        json.update(to_json(result, data.classes()));
        if (file) file->add(json);
        each(json);
      },
      workers, &progress);
}

}  // namespace

template <class S>
void attack(const AttackVerbOptions& o) {
  if (task_of(o.model).task != Task::single_label) raise<OptionError>("attack: a model with one class a text expected");
  for (const auto& path : {o.output, o.page})
    if (!path.empty()) require_writable(path);
  if (o.recipe == "datastore") {
    if (o.predictor == "head") raise<OptionError>("--predictor: combined or knn expected for --recipe datastore");
    if (!o.output.empty() || !o.page.empty())
      raise<OptionError>("--output, --page: not given expected for --recipe datastore, which prints all it finds");
    auto attacked = load_model<S>(o.model, o.common);
    const Dataset data = chosen(read_data(o.file, dataset_options(o.data)).with_classes(*attacked.outputs()), o);
    return attack_datastore<S>(o, data, std::move(attacked));
  }
  CommonOptions one_thread = o.common;  // threads divide the examples instead
  one_thread.threads = 1;
  const auto model = load_model<S>(o.model, one_thread, Loading::predictions);
  const Dataset data = chosen(read_data(o.file, dataset_options(o.data)).with_classes(*model.outputs()), o);
  AttackResources resources;
  auto constraints = attack_constraints<S>(o, resources);
  auto source = attack_source(o, data, resources);
  const AttackOf<S> attack{.goal = attack_goal(o, model),
                           .constraints = std::move(constraints),
                           .transformation = std::move(source),
                           .search = attack_search(o),
                           .options = o.attack};
  const auto tokenizer = AnyTokenizer::load(o.model, AddedTokenMatching::all);
  const ClassifierVictim<Classifier<S>> victim{.model = &model,
                                               .predictor = predictor_of(o),
                                               .pairs = data.has_pairs(),
                                               .soft_vote = o.soft_vote,
                                               .tokenizer = &tokenizer};
  const auto parts = attack.descriptions();
  std::optional<AttackFile> file;
  if (!o.output.empty()) file.emplace(o.output, run_of(o, parts, data));
  std::vector<AttackCounts> counts;
  AttackPage page;
  std::optional<StopBySignals> signals(std::in_place);
  attack_rest(attack, victim, data, Workers(o.common.device == "cpu" ? threads_of(o.common) : 1),
              file ? &*file : nullptr, [&](const OrderedJson& result) {
                counts.push_back(attack_counts(Json::parse(json_line(result)), o.output));
                if (!o.page.empty()) page.add(result);
              });
  signals.reset();
  if (file) file->close();
  const AttackSummary summary = summarize(counts);
  if (!o.page.empty())
    write_file_atomically(o.page, page.text(format("{}: {}", o.recipe, printable(o.model)), parts, to_json(summary)));
  print_summary(o, summary, parts);
  if (stop_signal && std::ssize(counts) < data.size()) {
    std::fprintf(stderr, "knnbert: stopped after %td of %td examples%s\n", std::ssize(counts), data.size(),
                 file ? "; the same command goes on" : "");
    throw Stopped{stop_signal};
  }
}

template void attack<ProgramStack>(const AttackVerbOptions&);

#ifndef KNNBERT_PROGRAM_TORCH_UNIT

namespace {

void add_resources(CLI::App& verb, AttackVerbOptions& o) {
  verb.add_option("--synonyms", o.synonyms, "JSON object of words and their synonyms (textfooler)");
  verb.add_option("--vectors", o.vectors, "word vectors instead, such as counter-fitted ones");
  verb.add_option("--most-synonyms", o.most_synonyms, "synonyms of a word that are tried")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  verb.add_option("--wordnet", o.wordnet, "table of WordNet's sets: synonyms (pwws), parts of speech (textfooler)");
  verb.add_option("--stop-words", o.stop_words, "words that stay, one a line, or none");
  verb.add_option("--antonyms", o.antonyms, "pairs of words that are not put in for each other, or none");
  verb.add_option("--language-model", o.language_model,
                  "directory of a masked language model (bert-attack; sentence-piece: one over unigram pieces, or over "
                  "Chinese characters if its tokenizer is WordPiece)");
  verb.add_option("--guesses", o.guesses, "its guesses for a piece that are tried")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 16));
  verb.add_flag("--random-guesses", o.random_guesses,
                "random pieces of its vocabulary in their place, drawn by --seed: a baseline (sentence-piece)");
  verb.add_option("--similarity-encoder", o.similarity_encoder, "directory of a sentence encoder, or none");
  verb.add_option("--similarity", o.similarity,
                  "least 1 - arccos(cosine) of the words around a replaced one; default: 0.5, or TextAttack's")
      ->check(CLI::Range(-3.0, 1.0));
  verb.add_option("--short-similarity", o.short_similarity,
                  "the same for texts shorter than the window; default: 0.1, or TextAttack's")
      ->check(CLI::Range(-3.0, 1.0));
  verb.add_option("--window", o.window, "words that are compared; default: 15, or TextAttack's")
      ->check(CLI::Range(1, 1 << 20));
  verb.add_option("--most-changes", o.most_changes,
                  "largest share of the words that are replaced; 0: 0.4 for bert-attack and sentence-piece, else all")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  verb.add_option("--length-change", o.length_change,
                  "largest change of a text's length in characters, as a share of it (sentence-piece)")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1e9));
}

}  // namespace

void add_attack(CLI::App& app) {
  const auto o = std::make_shared<AttackVerbOptions>();
  auto& verb = *app.add_subcommand("attack", "measure how few replaced words make a model err");
  verb.add_option("--recipe", o->recipe, "attack of the literature, or on the datastore")
      ->required()
      ->check(CLI::IsMember({"textfooler", "pwws", "bert-attack", "sentence-piece", "datastore"}));
  verb.add_option("--preset", o->preset, "choices of the paper, or those of TextAttack's recipe")
      ->capture_default_str()
      ->check(CLI::IsMember({"paper", "textattack"}));
  verb.add_option("--model", o->model, "model directory")->required();
  verb.add_option("--data", o->file, "labeled texts to attack; of pairs the second text")->required();
  verb.add_option("--examples", o->examples, "how many of them, chosen at random; 0: all")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 28));
  verb.add_option("--seed", o->seed, "of that choice, and of --random-guesses")->capture_default_str();
  verb.add_option("--predictor", o->predictor, "whose answer is attacked")
      ->capture_default_str()
      ->check(CLI::IsMember({"combined", "head", "knn"}));
  verb.add_option(
          "--soft-vote", o->soft_vote,
          "temperature at which the search sees the neighbors' vote as a softmax of their similarities, while the "
          "model's own vote is what counts; 0: it sees that one")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  verb.add_option("--target", o->target, "the class that is wanted; default: any wrong one");
  verb.add_option("--output", o->output, "JSON lines, one an example; a file of the same run is gone on with");
  verb.add_option("--page", o->page, "HTML page with the differences");
  verb.add_option("--most-queries", o->attack.queries.most, "queries for an example; 0: no limit")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 28));
  verb.add_option("--batch-size", o->attack.queries.batch_size, "texts that the model gets at a time")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 16));
  verb.add_option("--added", o->added, "what is added to the datastore under another class (datastore)")
      ->capture_default_str()
      ->check(CLI::IsMember({"copies", "nearest", "random"}));
  verb.add_option("--pool", o->pool, "texts that may be added, unless they are copies (datastore)");
  verb.add_option("--most-added", o->most_added, "examples that are added at most for a text (datastore)")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  add_resources(verb, *o);
  add_common(verb, o->common);
  add_data(verb, o->data);
  verb.callback([o] { session_of(o->common).attack(*o); });
}
#endif

}  // namespace knnbert::cli
