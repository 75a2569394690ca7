#pragma once
#include "knnbert/attack/constraint.hpp"
#include "knnbert/attack/wordnet.hpp"

namespace knnbert::inline v0_1 {

/// Parts of speech of the word at a position among others, as a set: what a lexicon or a tagger in context says.
template <class T>
concept SpeechTagger = requires(const T& tagger, std::span<const std::string> words, index_t position) {
  { tagger(words, position) } -> std::convertible_to<PartsOfSpeech>;
};

/// All that a word can be by WordNet, whatever stands around it.
struct LexiconTagger {
  const WordNet* wordnet;  ///< must outlive it

  PartsOfSpeech operator()(std::span<const std::string> words, index_t position) const {
    return wordnet->parts_of_speech(words[as_size(position)]);
  }
  std::string description() const { return "WordNet's lexicon"; }
};

/// A substitute has the part of speech of the word: their sets of the tagger meet, or one has a noun and the other a
/// verb; unknown words are replaced by unknown ones only. The word is tagged in the whole original text, a candidate
/// among the 4 words before and behind it, or all where there are at most 10.  TextFooler, arXiv 1907.11932.
template <SpeechTagger Tagger = LexiconTagger>
struct KeepPartOfSpeech {
  Tagger tagger;
  index_t context = 4;            ///< words before and behind a candidate
  index_t whole_text_up_to = 10;  ///< words of a text that is taken whole

  static bool agree(PartsOfSpeech a, PartsOfSpeech b) {
    constexpr PartsOfSpeech either = speech::noun | speech::verb;
    return a == b || (a & b) != 0 || ((a & either) != 0 && (b & either) != 0);
  }

  void judge(const WordPlace& place, std::span<const std::string> candidates, Verdicts& verdicts) const {
    const PartsOfSpeech own = tagger(place.original, place.position);
    const index_t n = std::ssize(place.current);
    const bool whole = n <= whole_text_up_to;
    const index_t first = whole ? 0 : std::max<index_t>(0, place.position - context);
    const index_t end = whole ? n : std::min(n, place.position + context + 1);
    std::vector<std::string> around(place.current.begin() + first, place.current.begin() + end);
    for (std::size_t c = 0; c < candidates.size(); ++c) {
      around[as_size(place.position - first)] = candidates[c];
      if (!agree(own, tagger(around, place.position - first))) ++verdicts.violations[c];
    }
  }
  std::string description() const {
    if constexpr (requires { tagger.description(); }) return format("part of speech kept, by {}", tagger.description());
    return "part of speech kept, by a tagger of the caller's";
  }
};

}  // namespace knnbert::inline v0_1
