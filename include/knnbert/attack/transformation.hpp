#pragma once
#include "knnbert/attack/part_of_speech.hpp"
#include "knnbert/attack/synonyms.hpp"

namespace knnbert::inline v0_1 {

/// Where substitutes come from: of(words) looks at a text once, and what it gives tells, called with a position, the
/// candidates for the word there, best first. description() names the source. Where they exist, units(text) cuts
/// the text into what is replaced, in place of words, and separator() is what stands between them.
template <class T>
concept AttackTransformation = requires(const T& transformation, std::span<const std::string> words, index_t position) {
  { transformation.of(words)(position) } -> std::convertible_to<std::vector<std::string>>;
  { transformation.description() } -> std::convertible_to<std::string>;
};

/// The first synonyms of a table.
struct FromSynonyms {
  const SynonymTable* table;  ///< must outlive it
  index_t most = 50;

  auto of(std::span<const std::string> words) const {
    return [table = table, most = most, words](index_t position) {
      const auto list = (*table)[words[as_size(position)]];
      const auto count = std::min(list.size(), as_size(most));
      return std::vector<std::string>(list.begin(), list.begin() + static_cast<index_t>(count));
    };
  }
  std::string description() const { return format("up to {} synonyms of a table of {} words", most, table->size()); }
};

/// WordNet's synonyms of the parts of speech that a tagger says; none of "be".
template <SpeechTagger Tagger = LexiconTagger>
struct FromWordNet {
  const WordNet* wordnet;  ///< must outlive it
  Tagger tagger{wordnet};
  bool first_word_of_phrases = false;  ///< phrases stand for their first word, as in the released code; else left out

  auto of(std::span<const std::string> words) const {
    return [this, words](index_t position) {
      const auto& word = words[as_size(position)];
      if (is_be(word)) return std::vector<std::string>();
      return wordnet->synonyms(word, tagger(words, position), first_word_of_phrases);
    };
  }
  std::string description() const {
    return format("WordNet's synonyms of the same part of speech, {} sets", wordnet->synsets());
  }

 private:
  static bool is_be(std::string_view spelled) {
    const std::string word = table_word(spelled);
    for (const std::string_view form : {"be", "am", "is", "are", "was", "were", "been", "being"})
      if (word == form) return true;
    return false;
  }
};

}  // namespace knnbert::inline v0_1
