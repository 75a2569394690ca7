#pragma once
#include <functional>
#include <variant>

#include "augment.hpp"
#include "knnbert/attack.hpp"
#include "knnbert/attack/random_pieces.hpp"
#include "knnbert/attack/smoothed_victim.hpp"
#include "knnbert/io/gzip.hpp"
#include "language_model.hpp"
#include "options.hpp"
#include "stack.hpp"

/// The parts of an attack as the options of `attack` choose them.
namespace knnbert::cli {

struct AttackVerbOptions {
  CommonOptions common;
  DataOptions data;
  std::string recipe, preset = "paper", model, file, predictor = "combined", guide, output, page, target, pool;
  std::string synonyms, vectors, wordnet, stop_words, antonyms, language_model, similarity_encoder, added = "copies";
  bool random_guesses = false;
  index_t examples = 0, most_added = 50, most_synonyms = 50, guesses = 48;
  std::uint64_t seed = 42;
  double most_changes = 0, length_change = 0.5;
  SoftVote soft_vote;
  SmoothingOptions smoothing{.copies = 0};
  SubstituteFiles smoothing_files;
  std::optional<float> similarity, short_similarity;
  std::optional<index_t> window;
  AttackOptions attack;
};

using WordSource = std::function<std::vector<std::string>(index_t)>;

/// A source of words, or of pieces, that is chosen at run time.
struct AnySource {
  std::function<WordSource(std::span<const std::string>)> make;
  std::string text, between = " ";
  std::function<std::vector<std::string>(std::string_view)> cut;

  WordSource of(std::span<const std::string> words) const { return make(words); }
  std::vector<std::string> units(std::string_view t) const { return cut(t); }
  std::string_view separator() const { return between; }
  std::string description() const { return text; }
};

/// words: how texts are cut, unless the source does it.
template <AttackTransformation T>
AnySource any_source(const AttackWords& words, T source) {
  const auto held = std::make_shared<const T>(std::move(source));
  AnySource any{.make = [held](std::span<const std::string> text) -> WordSource {
                  return [held, one = held->of(text)](index_t position) { return one(position); };
                },
                .text = held->description(),
                .cut = [words](std::string_view text) { return attack_words(text, words); }};
  if constexpr (requires(std::string_view t) { held->units(t); })
    any.cut = [held](std::string_view t) { return held->units(t); }, any.between = held->separator();
  return any;
}

struct AnySearch {
  std::variant<ImportanceSearch, GreedySearch, SaliencySearch> held;

  template <class A>
  void operator()(A& attempt) const {
    std::visit([&](const auto& search) { search(attempt); }, held);
  }
  std::string description() const {
    return std::visit([](const auto& search) { return search.description(); }, held);
  }
};

struct AnyGoal {
  std::variant<Untargeted, Targeted> held;

  bool reached(std::span<const float> probabilities, label_t label) const {
    return std::visit([&](const auto& goal) { return goal.reached(probabilities, label); }, held);
  }
  float distance(std::span<const float> probabilities, label_t label) const {
    return std::visit([&](const auto& goal) { return goal.distance(probabilities, label); }, held);
  }
  std::string description() const {
    return std::visit([](const auto& goal) { return goal.description(); }, held);
  }
};

/// Sentences as an encoder directory embeds them.
template <class S>
struct Sentences {
  std::shared_ptr<const Classifier<S>> encoder;

  Matrix operator()(std::span<const std::string> texts) const { return encoder->embed(encoder->tokenize(texts)); }
};

template <class S>
using AttackConstraintsOf =
    Constraints<std::optional<KeepStopWords>, std::optional<ChangeWordsOnce>, std::optional<AvoidAntonyms>,
                std::optional<ChangeFewWords>, std::optional<KeepLength>, std::optional<KeepPartOfSpeech<>>,
                std::optional<KeepMeaning<Sentences<S>>>>;
template <class S>
using AttackOf = Attack<AnyGoal, AttackConstraintsOf<S>, AnySource, AnySearch>;

/// Whether an option names a resource; "none" leaves a constraint out.
inline bool is_resource_given(const std::string& value) { return !value.empty() && value != "none"; }

/// Errors: OptionError that names all resources which the recipe needs and the user neither gave nor, where a
/// constraint alone needs them, went without.
inline void require_resources(const AttackVerbOptions& o) {
  const bool textfooler = o.recipe == "textfooler", bert = o.recipe == "bert-attack", paper = o.preset == "paper";
  const bool guesses = bert || o.recipe == "sentence-piece", search = o.recipe != "datastore";
  struct Resource {
    bool wanted;
    std::string_view options, what;
    bool is_given;
  };
  std::string absent;
  for (const auto& [wanted, options, what, is_given] : std::initializer_list<Resource>{
           {textfooler, "--synonyms or --vectors", "words that may stand for a word",
            is_resource_given(o.synonyms) || is_resource_given(o.vectors)},
           {guesses, "--language-model", "a directory of BertForMaskedLM", is_resource_given(o.language_model)},
           {o.recipe == "pwws", "--wordnet", "a table of synsets", is_resource_given(o.wordnet)},
           {textfooler, "--wordnet", "a table of synsets, or none", !o.wordnet.empty()},
           {textfooler || bert || (search && !paper), "--stop-words", "a file with a word a line, or none",
            !o.stop_words.empty()},
           {bert && paper, "--antonyms", "a file with two words a line, or none", !o.antonyms.empty()},
           {textfooler || (bert && !paper), "--similarity-encoder", "a directory of a sentence encoder, or none",
            !o.similarity_encoder.empty()}})
    if (wanted && !is_given) absent += format("{}{} ({})", absent.empty() ? "" : ", ", options, what);
  if (!absent.empty()) raise<OptionError>("--recipe {}: needs {} as well", o.recipe, absent);
}

/// What policies refer to.
struct AttackResources {
  SynonymTable synonyms;
  StopWords stop_words;
  WordNet wordnet;
  Antonyms antonyms;
  std::optional<SubstituteModel> language_model;
  std::optional<PieceSubstitutes> pieces;
  std::optional<RandomPieces<PieceSubstitutes>> random;
};

inline const ReadOptions attack_reading{.decompress = decompress};

inline AnySource synonym_source(const AttackVerbOptions& o, const Dataset& data, AttackResources& r) {
  if (is_resource_given(o.synonyms) && is_resource_given(o.vectors))
    raise<OptionError>("--synonyms, --vectors: both given, one of them expected for --recipe textfooler");
  if (is_resource_given(o.synonyms)) {
    r.synonyms = SynonymTable::read(o.synonyms, attack_reading);
  } else {
    std::vector<std::string> words;
    for (index_t i = 0; i < data.size(); ++i)
      for (auto& word : attack_words(data.has_pairs() ? data.pair(i) : data.text(i), o.attack.words))
        words.push_back(std::move(word));
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    r.synonyms = nearest_words(WordVectors::read(o.vectors, attack_reading), words, {.most = o.most_synonyms},
                               Workers(threads_of(o.common)));
  }
  return any_source(o.attack.words, FromSynonyms{&r.synonyms, o.most_synonyms});
}

inline AnySource attack_source(const AttackVerbOptions& o, const Dataset& data, AttackResources& r) {
  if (o.recipe == "textfooler") return synonym_source(o, data, r);
  if (o.recipe == "pwws") return any_source(o.attack.words, FromWordNet<>{&r.wordnet});
  const std::string name = repair_utf8(std::filesystem::path(o.language_model).filename().string());
  r.language_model.emplace(o.language_model);
  if (o.recipe == "sentence-piece") {
    r.pieces.emplace(*r.language_model);
    if (!o.random_guesses)
      return any_source(o.attack.words, FromPieceModel<PieceSubstitutes>{&*r.pieces, o.guesses, 0, name});
    r.random.emplace(*r.pieces, r.pieces->vocabulary(), o.seed);
    using Random = RandomPieces<PieceSubstitutes>;
    return any_source(o.attack.words,
                      FromPieceModel<Random>{&*r.random, o.guesses, 0, format("chance, not {},", name)});
  }
  return any_source(
      o.attack.words,
      FromLanguageModel<SubstituteModel>{
          .model = &*r.language_model, .best = o.guesses, .one_word = o.preset == "textattack", .name = name});
}

/// TextAttack's GreedyWordSwapWIR.
inline ImportanceSearch greedy_word_swap(std::string placeholder, bool weighted) {
  return {.placeholder = std::move(placeholder),
          .least_importance = -std::numeric_limits<float>::infinity(),
          .rank_all = false,
          .label_bonus = false,
          .weighted_saliency = weighted,
          .must_improve = true,
          .query_only_allowed = true};
}

/// Placeholders are what the victim's tokenizer calls them; where it has none, the word is left out.
inline AnySearch attack_search(const AttackVerbOptions& o, const AnyTokenizer& victim) {
  const auto spelled = [&](token_t id) { return id < 0 ? std::string() : std::string(victim.token(id)); };
  const std::string mask = spelled(victim.special().mask), unknown = spelled(victim.special().unknown);
  const bool paper = o.preset == "paper";
  if (o.recipe == "textfooler") return {paper ? ImportanceSearch{} : greedy_word_swap("", false)};
  if (o.recipe == "pwws") {
    if (paper) return {SaliencySearch{.placeholder = unknown}};
    return {greedy_word_swap(unknown, true)};
  }
  if (o.recipe == "sentence-piece") return {GreedySearch{.placeholder = ""}};
  if (paper) return {GreedySearch{.placeholder = mask}};
  return {greedy_word_swap(unknown, false)};
}

/// The paper's thresholds, or those of TextAttack's recipe, unless the user gave some.
inline SimilarityOptions attack_similarity(const AttackVerbOptions& o) {
  SimilarityOptions s;
  if (o.preset == "textattack" && o.recipe == "textfooler") {
    s.compare_short = false;
    s.against_previous = true;
  } else if (o.preset == "textattack") {
    constexpr float least_cosine = 0.2f;
    s.threshold = s.short_threshold = 1 - std::acos(least_cosine);
    s.window = 1 << 20;
  }
  s.threshold = o.similarity.value_or(s.threshold);
  s.short_threshold = o.short_similarity.value_or(s.short_threshold);
  s.window = o.window.value_or(s.window);
  s.encoder = repair_utf8(std::filesystem::path(o.similarity_encoder).filename().string());
  return s;
}

template <class S>
AttackConstraintsOf<S> attack_constraints(const AttackVerbOptions& o, AttackResources& r) {
  const bool bert = o.recipe == "bert-attack", pieces = o.recipe == "sentence-piece", paper = o.preset == "paper";
  std::optional<KeepStopWords> stop_words;
  if (is_resource_given(o.stop_words)) {
    r.stop_words = StopWords::read(o.stop_words, attack_reading);
    stop_words = KeepStopWords{&r.stop_words, (bert && paper) || pieces};
  }
  std::optional<AvoidAntonyms> antonyms;
  if (is_resource_given(o.antonyms)) {
    r.antonyms = Antonyms::read(o.antonyms, attack_reading);
    antonyms = AvoidAntonyms{&r.antonyms};
  }
  std::optional<KeepPartOfSpeech<>> speech;
  if (is_resource_given(o.wordnet)) {
    r.wordnet = WordNet::read(o.wordnet, attack_reading);
    if (o.recipe != "pwws") speech.emplace(KeepPartOfSpeech<>{LexiconTagger{&r.wordnet}});
  }
  std::optional<KeepMeaning<Sentences<S>>> meaning;
  if (is_resource_given(o.similarity_encoder)) {
    auto encoder = std::make_shared<const Classifier<S>>(o.similarity_encoder, std::vector<std::string>{"0", "1"},
                                                         ClassifierOptions{.device = o.common.device});
    meaning.emplace(KeepMeaning<Sentences<S>>{{std::move(encoder)}, attack_similarity(o)});
  }
  std::optional<ChangeFewWords> few;
  if (const double share = o.most_changes > 0 ? o.most_changes : bert || pieces ? 0.4 : 1; share < 1)
    few = ChangeFewWords{share, !paper};
  std::optional<KeepLength> length;
  if (pieces) length = KeepLength{o.length_change};
  return AttackConstraintsOf<S>(stop_words, ChangeWordsOnce{}, antonyms, few, length, std::move(speech),
                                std::move(meaning));
}

template <class S>
AnyGoal attack_goal(const AttackVerbOptions& o, const Classifier<S>& model) {
  if (o.target.empty()) return {Untargeted{}};
  return {Targeted{class_named(*model.outputs(), o.target, "--target")}};
}

}  // namespace knnbert::cli
