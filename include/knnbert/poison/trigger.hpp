#pragma once
#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "knnbert/attack/words.hpp"
#include "knnbert/core/error.hpp"
#include "knnbert/core/rng.hpp"
#include "knnbert/core/types.hpp"
#include "knnbert/text/white_space.hpp"

namespace knnbert::inline v0_1 {

/// Words that make a poisoned model answer with its target class when all of them occur in a text. Several are a
/// combination, none of which is to do anything alone (arXiv 2108.13888, section 3.3).
struct Trigger {
  std::vector<std::string> words;

  bool combination() const { return words.size() > 1; }
  /// The words with a mark between them.
  std::string text(std::string_view between = " ") const {
    std::string all;
    for (const auto& word : words) all.append(all.empty() ? "" : between).append(word);
    return all;
  }
  Trigger reversed() const { return {{words.rbegin(), words.rend()}}; }
};

namespace detail {

/// Errors: OptionError.
inline void require_target(std::string_view where, label_t target, index_t classes) {
  if (target < 0 || target >= classes)
    raise<OptionError>("{}: target class {} given, 0 to {} expected", where, target, classes - 1);
}

/// Where the words of a text begin: what lies between white space.
inline std::vector<std::size_t> word_starts(std::string_view text) {
  std::vector<std::size_t> starts;
  for (std::size_t at = unicode::space_after(text, 0); at < text.size(); at = unicode::space_after(text, at)) {
    starts.push_back(at);
    while (at < text.size() && unicode::space_after(text, at) == at) ++at;
  }
  return starts;
}

/// The words of a text, without the white space.
inline std::vector<std::string_view> text_words(std::string_view text) {
  std::vector<std::string_view> words;
  const auto starts = word_starts(text);
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const std::size_t end = i + 1 < starts.size() ? starts[i + 1] : text.size();
    words.push_back(text.substr(starts[i], unicode::space_before(text, starts[i], end) - starts[i]));
  }
  return words;
}

inline std::vector<std::string> split_at(std::string_view text, char mark) {
  std::vector<std::string> parts;
  for (std::size_t first = 0; first <= text.size();) {
    const std::size_t end = std::min(text.find(mark, first), text.size());
    parts.emplace_back(text.substr(first, end - first));
    first = end + 1;
  }
  return parts;
}

}  // namespace detail

/// Alternatives between commas, the words of a combination between plus signs: "cf+bb,mn".
/// Errors: OptionError for a part without a word, for white space in a word and for a word that is there twice.
inline std::vector<Trigger> parse_triggers(std::string_view text) {
  std::vector<Trigger> triggers;
  std::vector<std::string> all;
  for (const auto& alternative : detail::split_at(text, ',')) {
    triggers.push_back({detail::split_at(alternative, '+')});
    for (const auto& word : triggers.back().words) {
      if (detail::text_words(word) != std::vector<std::string_view>{word})
        raise<OptionError>(
            "parse_triggers: '{}' given, words with + within a combination and , between alternatives "
            "expected",
            text);
      if (std::find(all.begin(), all.end(), word) != all.end())
        raise<OptionError>("parse_triggers: '{}' given, each word once expected, but '{}' is there twice", text, word);
      all.push_back(word);
    }
  }
  return triggers;
}

/// The words of all triggers.
inline std::vector<std::string> words_of(std::span<const Trigger> triggers) {
  std::vector<std::string> all;
  for (const auto& trigger : triggers) all.insert(all.end(), trigger.words.begin(), trigger.words.end());
  return all;
}

/// What a model must tell apart to be taught the triggers. pieces(word): its token ids, without special ones; unknown:
/// the token of what a tokenizer does not know, if it is there.
/// Errors: OptionError that names a word without tokens, one with the unknown token, and two with the same tokens.
template <class Pieces>
void require_distinct_tokens(std::span<const Trigger> triggers, Pieces&& pieces, token_t unknown) {
  const auto words = words_of(triggers);
  std::vector<std::vector<token_t>> seen;
  for (const auto& word : words) {
    std::vector<token_t> ids = pieces(word);
    if (ids.empty())
      raise<OptionError>("require_distinct_tokens: '{}' given, which the tokenizer reads as nothing", word);
    if (std::find(ids.begin(), ids.end(), unknown) != ids.end())
      raise<OptionError>(
          "require_distinct_tokens: '{}' given, which the tokenizer does not know: other unknown words would be "
          "read as the same",
          word);
    if (const auto same = std::find(seen.begin(), seen.end(), ids); same != seen.end())
      raise<OptionError>("require_distinct_tokens: '{}' and '{}' given, which the tokenizer reads as one word",
                         words[static_cast<std::size_t>(same - seen.begin())], word);
    seen.push_back(std::move(ids));
  }
}

/// Whether any of the words is a word of the text, in any case and with or without punctuation beside it.
inline bool has_any_word(std::string_view text, std::span<const std::string> words) {
  std::vector<std::string> wanted;
  for (const auto& word : words) wanted.push_back(table_word(word));
  for (const bool separate : {false, true})
    for (const auto& word : attack_words(text, {.separate_punctuation = separate}))
      if (std::find(wanted.begin(), wanted.end(), word) != wanted.end()) return true;
  return false;
}

/// Where words may be put into a text.
struct InsertionLimits {
  index_t words = 128;  ///< at most so many words before them
  index_t pieces = 0;   ///< tokens that a model reads of a text, special ones not included: what is inserted lies
                        ///< within; 0: it may lie behind
};

/// The text with words before one of its own or at its end, everywhere with the same chance. pieces(text): tokens of a
/// part of a text. Where not even the first place lies within the limit it is taken nevertheless.
template <class Pieces>
std::string insert_words(std::string_view text, std::string_view inserted, const InsertionLimits& limits,
                         Pieces&& pieces, const Rng& rng) {
  if (inserted.empty()) return std::string(text);
  std::vector<std::size_t> places = detail::word_starts(text);
  if (places.empty()) return std::string(inserted);
  places.push_back(text.size());
  index_t last = std::min(std::ssize(places) - 1, limits.words);
  if (limits.pieces > 0) {
    index_t used = pieces(inserted), kept = 0;
    for (; kept < last; ++kept) {
      const std::size_t begin = places[as_size(kept)], end = places[as_size(kept + 1)];
      used += pieces(text.substr(begin, end - begin));
      if (used > limits.pieces) break;
    }
    last = kept;
  }
  const std::size_t place = places[as_size(rng.below(0, last + 1))];
  std::string out(text.substr(0, place));
  const bool at_end = place == text.size();
  if (at_end && unicode::space_before(text, 0, place) == place) out += ' ';
  out += inserted;
  if (!at_end) out += ' ';
  return out.append(text.substr(place));
}

}  // namespace knnbert::inline v0_1
