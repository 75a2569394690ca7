#pragma once
#include <optional>

#include "knnbert/attack/smoothed_victim.hpp"
#include "knnbert/io/gzip.hpp"
#include "options.hpp"

/// Texts whose words are replaced at random: copies to train on, and to answer for a text.
namespace knnbert::cli {

struct SubstituteFiles {
  std::string synonyms, wordnet, stop_words;

  bool none() const { return synonyms.empty() && wordnet.empty(); }
};

/// The tables of these files; they must stay where they are while substitutes() is used.
class SubstituteTables {
 public:
  /// Errors: those of reading them.
  explicit SubstituteTables(const SubstituteFiles& files) {
    const ReadOptions reading{.decompress = decompress};
    if (!files.synonyms.empty()) synonyms_ = SynonymTable::read(files.synonyms, reading);
    if (!files.wordnet.empty()) wordnet_ = WordNet::read(files.wordnet, reading);
    if (!files.stop_words.empty()) stop_words_ = StopWords::read(files.stop_words, reading);
  }

  TableSubstitutes substitutes() const {
    return {.synonyms = synonyms_ ? &*synonyms_ : nullptr,
            .wordnet = wordnet_ ? &*wordnet_ : nullptr,
            .stop_words = stop_words_ ? &*stop_words_ : nullptr};
  }

 private:
  std::optional<SynonymTable> synonyms_;
  std::optional<WordNet> wordnet_;
  std::optional<StopWords> stop_words_;
};

/// Declares --PREFIXsynonyms, --PREFIXwordnet and --PREFIXstop-words, for the option `purpose`.
inline void add_substitute_files(CLI::App& verb, SubstituteFiles& files, const std::string& prefix,
                                 const std::string& purpose) {
  verb.add_option("--" + prefix + "synonyms", files.synonyms,
                  "JSON object of words and their synonyms, for " + purpose);
  verb.add_option("--" + prefix + "wordnet", files.wordnet, "table of WordNet's sets of synonyms, for " + purpose);
  verb.add_option("--" + prefix + "stop-words", files.stop_words, "words that " + purpose + " leaves, one a line");
}

/// Errors: OptionError for files without copies, and for copies without files.
inline void require_substitute_files(const SubstituteFiles& files, index_t copies, const std::string& prefix,
                                     const std::string& purpose) {
  if (copies > 0 && files.none())
    raise<OptionError>("{} {}: --{}synonyms or --{}wordnet expected with it", purpose, copies, prefix, prefix);
  if (copies > 0) return;
  for (const auto& [name, path] : {std::pair("synonyms", &files.synonyms), std::pair("wordnet", &files.wordnet),
                                   std::pair("stop-words", &files.stop_words)})
    if (!path->empty()) raise<OptionError>("--{}{}: not given expected without {}", prefix, name, purpose);
}

/// Declares --smooth and what belongs to it.
inline void add_smooth_options(CLI::App& verb, SmoothingOptions& o, SubstituteFiles& files) {
  verb.add_option("--smooth", o.copies,
                  "defense: the model answers by the mean over so many copies of a text in which words are replaced at "
                  "random by those of --smooth-synonyms and --smooth-wordnet; 0: none")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 12));
  verb.add_option("--smooth-words", o.words, "fraction of a copy's words that are replaced")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  add_substitute_files(verb, files, "smooth-", "--smooth");
}

/// The same, and for another share of words without copies.
inline void require_smooth_options(const SmoothingOptions& o, const SubstituteFiles& files) {
  require_substitute_files(files, o.copies, "smooth-", "--smooth");
  if (o.copies == 0 && o.words != SmoothingOptions().words)
    raise<OptionError>("--smooth-words: not given expected without --smooth");
}

struct AugmentOptions {
  index_t copies = 0;
  float most_words = AugmentationOptions().most_words;
  SubstituteFiles files;
};

inline void add_augment_options(CLI::App& verb, AugmentOptions& o) {
  verb.add_option("--augment", o.copies,
                  "copies of each training text in which words are replaced at random by those of --synonyms and "
                  "--wordnet: a model that rests less on single words. The datastore holds the texts themselves; "
                  "epochs by recipe are so many fewer")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 10));
  verb.add_option("--augment-words", o.most_words, "greatest fraction of a copy's words that are replaced")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  add_substitute_files(verb, o.files, "", "--augment");
}

/// The examples with their copies; none without --augment.  Errors: OptionError; those of reading the files.
inline std::optional<Dataset> with_copies(const Dataset& data, const AugmentOptions& o, std::uint64_t seed) {
  require_substitute_files(o.files, o.copies, "", "--augment");
  if (o.copies == 0) return {};
  const SubstituteTables tables(o.files);
  return augmented(data, tables.substitutes(), {.copies = o.copies, .most_words = o.most_words, .seed = seed});
}

}  // namespace knnbert::cli
