#pragma once
#include <filesystem>
#include <unordered_map>

#include "knnbert/attack/words.hpp"
#include "knnbert/io/lines.hpp"

namespace knnbert::inline v0_1 {

/// Parts of speech that a word may have, as bits of a set; 0: unknown.
using PartsOfSpeech = unsigned;

namespace speech {
inline constexpr PartsOfSpeech noun = 1, verb = 2, adjective = 4, adverb = 8, every_part = 15;
}

/// Sets of synonyms by part of speech.  Open English WordNet 2023, or whatever has the same form.
/// Base forms are found by WordNet's rules of endings (movies: movie, stopped: stop); irregular forms have none.
class WordNet {
 public:
  /// Tables of four columns: id, part of speech (n, v, a, s: a satellite of an adjective, r: adverb), lexicographer's
  /// file, members with | between them.  Errors: IoError; FormatError with file and line.
  static WordNet read(const std::filesystem::path& path, const ReadOptions& options = {});
  /// The same of decoded text.
  static WordNet parse(std::string_view text, std::string_view name);

  index_t synsets() const { return std::ssize(synsets_); }
  /// Parts of speech of a word, in any case, and of its base forms.
  PartsOfSpeech parts_of_speech(const std::string& word) const;
  /// Base forms with one of the parts of speech, the word itself first if it is one.
  std::vector<std::string> base_forms(const std::string& word, PartsOfSpeech parts = speech::every_part) const;
  /// Members of the sets of a word's base forms with one of these parts of speech, each once, in lower case, in the
  /// order of the file; none of the base forms themselves. Members of several words are left out, or stand for their
  /// first word.
  std::vector<std::string> synonyms(const std::string& word, PartsOfSpeech parts = speech::every_part,
                                    bool first_word_of_phrases = false) const;

 private:
  struct Synset {
    PartsOfSpeech part;
    std::vector<std::string> members;
  };

  /// Whether a lemma has the part of speech.
  bool has(const std::string& lemma, PartsOfSpeech part) const {
    const auto found = lemmas_.find(lemma);
    return found != lemmas_.end() && (found->second.parts & part);
  }

  struct Lemma {
    PartsOfSpeech parts = 0;
    std::vector<index_t> synsets = {};
  };
  std::vector<Synset> synsets_;
  std::unordered_map<std::string, Lemma> lemmas_;
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/attack/wordnet_impl.hpp"
#endif
