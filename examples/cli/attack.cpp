// knnbert attack: how few replaced words make a model err.
#include "attack_datastore.hpp"
#include "attack_file.hpp"
#include "attack_page.hpp"
#include "attack_summary.hpp"
#include "attack_uses.hpp"
#include "config.hpp"
#include "knnbert/model/classifier_files.hpp"
#include "pairs.hpp"
#include "signals.hpp"

namespace knnbert::cli {

namespace {

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

/// Attacks the examples behind those of a run before; each(result) hears of all, those of before first.
template <class A, class V, class Each>
void attack_rest(const AttackVerbOptions& o, const A& attack, const V& victim, const Dataset& data, AttackFile* file,
                 Each&& each) {
  std::vector<OrderedJson> before;
  if (file) before = file->found();
  if (std::ssize(before) > data.size())
    raise<FormatError>("more results than the {} examples of the data given", data.size());
  for (const auto& result : before) each(result);
  std::vector<index_t> rest;
  for (index_t i = std::ssize(before); i < data.size(); ++i) rest.push_back(i);
  AttackProgress progress(std::ssize(before));
  const Workers workers(o.common.device == "cpu" ? threads_of(o.common) : 1);
  attack.each(
      victim, data.select(rest),
      [&](index_t i, const AttackResult& result) {
        OrderedJson json{{"example", std::ssize(before) + i}, {"predictor", o.predictor}, {"guide", guide_name(o)}};
        json.update(to_json(result, data.classes()));
        if (file) file->add(json);
        each(json);
      },
      workers, &progress);
}

/// The model's answers, with --smooth their means over copies.
template <class S>
struct VerbVictim {
  ClassifierVictim<Classifier<S>> plain;
  TableSubstitutes substitutes;
  SmoothingOptions smoothing;

  GuidedProbabilities operator()(std::span<const std::string> texts) const {
    if (smoothing.copies == 0) return plain(texts);
    return SmoothedVictim<decltype(plain), TableSubstitutes>{&plain, substitutes, smoothing}(texts);
  }
  GuidedProbabilities operator()(std::span<const std::string> first, std::span<const std::string> second) const {
    return smoothing.copies == 0 ? plain(first, second) : (*this)(first);
  }
  index_t readable(std::span<const std::string> words) const { return plain.readable(words); }
};

/// What the result says of it.
std::string smoothing_description(const AttackVerbOptions& o) {
  const SubstituteFiles& files = o.smoothing_files;
  return format("victim: mean over {} copies, {} of the words replaced, synonyms '{}', wordnet '{}', stop words '{}'",
                o.smoothing.copies, o.smoothing.words, files.synonyms, files.wordnet, files.stop_words);
}

/// Whether the victim reads some of the texts otherwise once they are in lower case.
bool tells_capitals(const AnyTokenizer& tokenizer, const Dataset& data) {
  const auto ids = [&](const std::string& text, bool lower_case) {
    std::vector<token_t> all;
    tokenizer.encode_words(join_words(attack_words(text, {.lower_case = lower_case})), all);
    return all;
  };
  const auto differs = [&](const std::string& text) { return ids(text, false) != ids(text, true); };
  for (index_t i = 0; i < data.size(); ++i)
    if (differs(data.has_pairs() ? data.pair(i) : data.text(i))) return true;
  return false;
}

/// Refuses to write over what the attack reads.  Errors: OptionError.
void require_nothing_read(const AttackVerbOptions& o, const std::string& written) {
  constexpr const char* options = "--output, --page";
  const SubstituteFiles& smoothing = o.smoothing_files;
  for (const auto* file : {&o.file, &o.synonyms, &o.vectors, &o.wordnet, &o.stop_words, &o.antonyms, &o.pool,
                           &smoothing.synonyms, &smoothing.wordnet, &smoothing.stop_words})
    if (!file->empty()) require_other_file(options, written, *file);
  for (const auto* directory : {&o.model, &o.language_model, &o.similarity_encoder})
    if (!directory->empty()) require_no_file_of(options, written, *directory);
}

}  // namespace

template <class S>
void attack(const AttackVerbOptions& given) {
  AttackVerbOptions o = given;
  require_smooth_options(o.smoothing, o.smoothing_files);
  if (o.guide == "unsmoothed" && o.smoothing.copies == 0)
    raise<OptionError>("--guide unsmoothed: --smooth expected with it");
  if (task_of(o.model).task != Task::single_label) raise<OptionError>("attack: a model with one class a text expected");
  for (const auto& path : {o.output, o.page})
    if (!path.empty()) require_nothing_read(o, path), require_writable(path);
  const auto place = [](const std::string& path) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(path));
  };
  if (!o.page.empty() && !o.output.empty() && place(o.page) == place(o.output))
    raise<OptionError>("--page: {} is what --output writes, another place expected", o.page);
  if (o.recipe == "datastore") {
    if (o.predictor == "head") raise<OptionError>("--predictor: combined or knn expected for --recipe datastore");
    auto attacked = load_model<S>(o.model, o.common);
    const Dataset data = chosen(read_data(o.file, dataset_options(o.data)).with_classes(*attacked.outputs()), o);
    return attack_datastore<S>(o, data, std::move(attacked));
  }
  CommonOptions one_thread = o.common;  // threads divide the examples instead
  one_thread.threads = 1;
  const auto model = load_model<S>(o.model, one_thread, Loading::predictions);
  const Dataset data = chosen(read_data(o.file, dataset_options(o.data)).with_classes(*model.outputs()), o);
  warn_of_other_pairs(data, o.file, o.model);
  const auto tokenizer = AnyTokenizer::load(o.model, AddedTokenMatching::all);
  o.attack.words.lower_case = !tells_capitals(tokenizer, data);
  AttackResources resources;
  auto constraints = attack_constraints<S>(o, resources);
  auto source = attack_source(o, data, resources);
  const AttackOf<S> attack{.goal = attack_goal(o, model),
                           .constraints = std::move(constraints),
                           .transformation = std::move(source),
                           .search = attack_search(o, tokenizer),
                           .options = o.attack};
  if (o.smoothing.copies > 0 && data.has_pairs()) raise<OptionError>("--smooth: texts without a second one expected");
  const SubstituteTables tables(o.smoothing_files);
  const VerbVictim<S> victim{.plain = {.model = &model,
                                       .predictor = predictor_named(o.predictor),
                                       .pairs = data.has_pairs(),
                                       .guide = guide_of(o),
                                       .tokenizer = &tokenizer},
                             .substitutes = tables.substitutes(),
                             .smoothing = o.smoothing};
  auto parts = attack.descriptions();
  if (!o.attack.words.lower_case && o.recipe != "sentence-piece")
    parts.insert(parts.begin(), "words with their capitals, which the victim tells apart");
  if (o.attack.words.separate_punctuation) parts.insert(parts.begin(), "punctuation apart from words");
  if (o.smoothing.copies > 0) parts.insert(parts.begin(), smoothing_description(o));
  for (auto& part : guide_descriptions(o)) parts.insert(parts.begin(), std::move(part));
  std::optional<AttackFile> file;
  if (!o.output.empty()) file.emplace(o.output, run_of(o, parts, data));
  std::vector<AttackCounts> counts;
  std::string first_reason;  // of an error
  AttackPage page;
  std::optional<StopBySignals> signals(std::in_place);
  attack_rest(o, attack, victim, data, file ? &*file : nullptr, [&](const OrderedJson& result) {
    counts.push_back(attack_counts(Json::parse(json_line(result)), o.output));
    if (counts.back().status == AttackStatus::error && first_reason.empty() && result.contains("reason"))
      first_reason = result["reason"].template get<std::string>();
    if (!o.page.empty()) page.add(result);
  });
  signals.reset();
  const AttackSummary summary = summarize(counts);
  if (!o.page.empty())
    write_file_atomically(o.page, page.text(format("{}: {}", o.recipe, printable(o.model)), parts, to_json(summary)));
  print_summary(o, summary, parts);
  if (summary.errors > 0)
    print_warning(format("{} of {} examples could not be attacked; the first: {}", summary.errors, counts.size(),
                         in_words_of_the_program(first_reason)));
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
  verb.add_option("--wordnet", o.wordnet,
                  "table of WordNet's sets: synonyms (pwws), parts of speech (textfooler, bert-attack)");
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
          "--guide", o->guide,
          "whose probabilities lead the search, while the predictor's answer is what counts; soft-knn: a vote "
          "of examples by similarity; unsmoothed: the predictor's without --smooth; default: the predictor's own")
      ->check(CLI::IsMember({"combined", "head", "knn", "soft-knn", "unsmoothed"}));
  verb.add_option("--guide-neighbors", o->soft_vote.neighbors, "examples that vote (soft-knn); 0: all")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 30));
  verb.add_option("--guide-temperature", o->soft_vote.temperature,
                  "their votes are softmax(similarity / it) (soft-knn)")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  add_smooth_options(verb, o->smoothing, o->smoothing_files);
  verb.add_option("--target", o->target, "the class that is wanted; default: any wrong one");
  verb.add_option("--output", o->output, "JSON lines, one an example; a file of the same run is gone on with");
  verb.add_option("--page", o->page, "HTML page with the differences");
  verb.add_flag("--separate-punctuation", o->attack.words.separate_punctuation,
                "marks beside words are words of their own, with blanks between; default: words are what stands "
                "between white space, as in the papers, whose data have such blanks (textfooler, pwws, bert-attack)");
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
  verb.callback([o, &verb] {
    require_used(verb, o->recipe);
    require_resources(*o);
    o->smoothing.text_leads = o->guide == "unsmoothed";
    session_of(o->common).attack(*o);
  });
}
#endif

}  // namespace knnbert::cli
