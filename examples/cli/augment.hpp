#pragma once
#include <optional>

#include "knnbert/attack/augmentation.hpp"
#include "knnbert/io/gzip.hpp"
#include "options.hpp"

/// Training examples with copies whose words are replaced at random: the options of a verb that trains.
namespace knnbert::cli {

struct AugmentOptions {
  index_t copies = 0;
  float most_words = AugmentationOptions().most_words;
  std::string synonyms, wordnet, stop_words;
};

inline void add_augment_options(CLI::App& verb, AugmentOptions& o) {
  verb.add_option(
          "--augment", o.copies,
          "copies of each training text in which words are replaced at random by those of --synonyms and "
          "--wordnet: a model that rests less on single words. The datastore holds the texts themselves; epochs "
          "by recipe are so many fewer")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 10));
  verb.add_option("--augment-words", o.most_words, "greatest fraction of a copy's words that are replaced")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  verb.add_option("--synonyms", o.synonyms, "JSON object of words and their synonyms, for --augment");
  verb.add_option("--wordnet", o.wordnet, "table of WordNet's sets of synonyms, for --augment");
  verb.add_option("--stop-words", o.stop_words, "words that --augment leaves, one a line");
}

/// The examples with their copies; none without --augment.  Errors: OptionError for resources without copies and copies
/// without resources; those of reading the resources.
inline std::optional<Dataset> with_copies(const Dataset& data, const AugmentOptions& o, std::uint64_t seed) {
  const bool resources = !o.synonyms.empty() || !o.wordnet.empty();
  if (o.copies == 0) {
    for (const auto& [option, path] : {std::pair("--synonyms", &o.synonyms), std::pair("--wordnet", &o.wordnet),
                                       std::pair("--stop-words", &o.stop_words)})
      if (!path->empty()) raise<OptionError>("{}: not given expected without --augment", option);
    return {};
  }
  if (!resources) raise<OptionError>("--augment {}: --synonyms or --wordnet expected with it", o.copies);
  const ReadOptions reading{.decompress = decompress};
  std::optional<SynonymTable> synonyms;
  std::optional<WordNet> wordnet;
  std::optional<StopWords> stop_words;
  if (!o.synonyms.empty()) synonyms = SynonymTable::read(o.synonyms, reading);
  if (!o.wordnet.empty()) wordnet = WordNet::read(o.wordnet, reading);
  if (!o.stop_words.empty()) stop_words = StopWords::read(o.stop_words, reading);
  const TableSubstitutes substitutes{.synonyms = synonyms ? &*synonyms : nullptr,
                                     .wordnet = wordnet ? &*wordnet : nullptr,
                                     .stop_words = stop_words ? &*stop_words : nullptr};
  return augmented(data, substitutes, {.copies = o.copies, .most_words = o.most_words, .seed = seed});
}

}  // namespace knnbert::cli
