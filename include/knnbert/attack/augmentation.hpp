#pragma once
#include <algorithm>
#include <unordered_map>

#include "knnbert/attack/stop_words.hpp"
#include "knnbert/attack/synonyms.hpp"
#include "knnbert/attack/wordnet.hpp"
#include "knnbert/core/rng.hpp"
#include "knnbert/text/dataset.hpp"

namespace knnbert::inline v0_1 {

/// What may stand for a word, from both tables, each once: WordNet's words of any part of speech after the synonyms.
/// Tables that are absent have none; stop words stay.
struct TableSubstitutes {
  const SynonymTable* synonyms = nullptr;
  const WordNet* wordnet = nullptr;
  const StopWords* stop_words = nullptr;

  std::vector<std::string> operator()(const std::string& word) const {
    const std::string key = table_word(word);
    std::vector<std::string> found;
    if (stop_words && stop_words->contains(key)) return found;
    if (synonyms) found.assign((*synonyms)[key].begin(), (*synonyms)[key].end());
    if (wordnet)
      for (auto& other : wordnet->synonyms(key))
        if (std::find(found.begin(), found.end(), other) == found.end()) found.push_back(std::move(other));
    return found;
  }
};

struct AugmentationOptions {
  index_t copies = 3;       ///< of each example, beside itself
  float most_words = 0.7f;  ///< a copy replaces each word with a probability that is uniform from 0 to this
  std::uint64_t seed = 0;
};

/// The text with each word, between white space, replaced with probability `rate` by one of what substitutes(word)
/// gives, a list of others; as it is where none is. The same for the same generator.
template <class Substitutes>
std::string with_substitutes(const std::string& text, Substitutes&& substitutes, double rate, const Rng& rng) {
  auto words = attack_words(text, {.lower_case = false});
  bool changed = false;
  for (std::size_t w = 0; w < words.size(); ++w) {
    if (rng.uniform(2 * w) >= rate) continue;
    const auto& others = substitutes(words[w]);
    if (others.empty()) continue;
    words[w] = others[as_size(rng.below(2 * w + 1, std::ssize(others)))];
    changed = true;
  }
  return changed ? join_words(words) : text;
}

/// The examples, each followed by copies with the same label in which words are replaced at random by what
/// substitutes(word) gives: a model that is trained on them rests less on single words. Both texts of a pair change.
/// Copies of a text without such words are like it.
/// Errors: OptionError.  Cost: a call of substitutes for each different word.
template <class Substitutes>
Dataset augmented(const Dataset& data, const Substitutes& substitutes, const AugmentationOptions& options = {}) {
  if (options.copies < 0) raise<OptionError>("augmented: {} copies given, at least 0 expected", options.copies);
  if (!(options.most_words >= 0 && options.most_words <= 1))
    raise<OptionError>("augmented: {} of the words given, 0 to 1 expected", options.most_words);
  std::unordered_map<std::string, std::vector<std::string>> known;
  const auto remembered = [&](const std::string& word) -> const std::vector<std::string>& {
    const auto [entry, fresh] = known.try_emplace(word);
    if (fresh) entry->second = substitutes(word);
    return entry->second;
  };
  const auto copy_of = [&](const std::string& text, const Rng& rng) {
    const double rate = rng.uniform(0) * static_cast<double>(options.most_words);
    return with_substitutes(text, remembered, rate, rng.fork(0));
  };
  const Rng rng(options.seed, Stream::augment);
  std::vector<Example> examples;
  examples.reserve(static_cast<std::size_t>(data.size() * (options.copies + 1)));
  for (index_t i = 0; i < data.size(); ++i) {
    examples.push_back(data.example(i));
    for (index_t c = 0; c < options.copies; ++c) {
      const Rng own = rng.fork(as_size(i)).fork(as_size(c));
      examples.push_back({copy_of(data.text(i), own.fork(0)), copy_of(data.pair(i), own.fork(1)), data.label(i)});
    }
  }
  return Dataset(std::move(examples), data.classes());
}

}  // namespace knnbert::inline v0_1
