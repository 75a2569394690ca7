#pragma once
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "knnbert/config.hpp"
#include "knnbert/core/error.hpp"
#include "knnbert/io/utf8.hpp"
#include "knnbert/text/added_token_search.hpp"
#include "knnbert/text/framing.hpp"
#include "knnbert/text/pre_tokenizer_pass.hpp"
#include "knnbert/text/unigram.hpp"
#include "knnbert/text/unigram_files.hpp"
#include "knnbert/text/unigram_json_writer.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

inline UnigramOptions complete_options(const Vocabulary& vocabulary, const std::vector<double>& scores,
                                       UnigramOptions options) {
  const auto size = static_cast<std::size_t>(vocabulary.size());
  if (size == 0 || scores.size() != size)
    raise<OptionError>("Unigram: {} tokens and {} scores given, one score for each of at least one token expected",
                       size, scores.size());
  const auto wrong = std::find_if_not(scores.begin(), scores.end(), [](double score) { return std::isfinite(score); });
  if (wrong != scores.end())
    raise<OptionError>("Unigram: score {} of token '{}' given, a finite one expected", *wrong,
                       vocabulary.token(static_cast<token_t>(wrong - scores.begin())));
  if (!vocabulary.find(options.unknown_token))
    raise<OptionError>("Unigram: token '{}' expected in the vocabulary, which lacks it", options.unknown_token);
  add_special_tokens(vocabulary, options);
  return options;
}

/// The span of the original text that part [first, last) of a word comes from, without white space at its ends.
inline PieceSpan piece_span(std::string_view original, AlignedView word, const PieceSpan& piece) {
  if (piece.begin == piece.end) {
    const auto place = word.origin(piece.end - 1, piece.end).end;
    return {piece.id, place, place};
  }
  const auto origin = word.origin(piece.begin, piece.end);
  const auto own = original.substr(0, origin.end);
  const auto begin = unicode::space_after(own, origin.begin);
  return {piece.id, begin, unicode::space_before(own, begin, own.size())};
}

/// The same text as UTF-8.
inline void assign_repaired(std::string_view text, AlignedText& whole) {
  whole.assign(text, 0, true);
  if (find_invalid_utf8(text) < 0) return;
  const auto given = std::move(whole);
  whole.clear(true);
  each_character(given.view(), [&](char32_t code, AlignedView part) {
    std::string character;
    unicode::encode(code, character);
    if (character == part.text) whole.keep(part);
    else whole.replace(part, character);
  });
}

}  // namespace detail

KNNBERT_INLINE Unigram::Unigram(Vocabulary vocabulary, std::vector<double> scores, UnigramOptions options)
    : options_(detail::complete_options(vocabulary, scores, std::move(options))), normalizer_(options_.normalizer),
      pre_tokenizer_(options_.pre_tokenizer), vocabulary_(std::move(vocabulary)),
      added_(vocabulary_, options_.added_tokens, options_.matching, normalizer_),
      special_(detail::find_special("Unigram", vocabulary_, added_, options_,
                                    {options_.classify_token, options_.separate_token})),
      encoder_(vocabulary_, std::move(scores), *vocabulary_.find(options_.unknown_token), options_.byte_fallback) {}

template <class OnToken, class OnWord>
inline void Unigram::cut(AlignedView text, UnigramEncoder::Scratch& scratch, OnToken on_token, OnWord on_word) const {
  const auto part_of = [](AlignedView whole, std::string_view part) {
    const auto first = static_cast<std::size_t>(part.data() - whole.text.data());
    return whole.part(first, first + part.size());
  };
  const auto on_raw = [&](std::string_view raw) {
    scratch.text.clear(text.origins != nullptr);
    scratch.text.keep(part_of(text, raw));
    normalizer_(scratch.text, scratch.spare);
    const auto normalized = scratch.text.view();
    const auto on_text = [&](std::string_view part) {
      pre_tokenizer_(part_of(normalized, part), scratch.parts, on_word);
    };
    const auto on_normalized = [&](token_t id, std::string_view part) { on_token(id, part_of(normalized, part)); };
    if (added_.normalized().empty()) on_text(normalized.text);
    else added_.normalized()(normalized.text, on_text, on_normalized);
  };
  if (added_.raw().empty()) return on_raw(text.text);
  added_.raw()(text.text, on_raw, [&](token_t id, std::string_view part) { on_token(id, part_of(text, part)); });
}

inline void Unigram::encode(std::string_view text, std::vector<token_t>& ids, std::size_t limit) const {
  std::string repaired;
  AlignedText whole;
  AlignedView view{.text = text};
  if (pre_tokenizer_.needs_origins()) {
    detail::assign_repaired(text, whole);
    view = whole.view();
  } else if (find_invalid_utf8(text) >= 0) {
    view.text = repaired = repair_utf8(text);
  }
  const auto scratch = encoder_.lend();
  const auto on_token = [&](token_t id, AlignedView) { ids.push_back(id); };
  cut(view, *scratch, on_token, [&](AlignedView word) {
    encoder_(vocabulary_, word.text, *scratch, ids);
    return ids.size() < limit;
  });
  if (ids.size() > limit) ids.resize(limit);
}

KNNBERT_INLINE std::vector<PieceSpan> Unigram::spans(std::string_view text) const {
  AlignedText whole;
  detail::assign_repaired(text, whole);
  std::vector<PieceSpan> found;
  const auto scratch = encoder_.lend();
  const auto on_token = [&](token_t id, AlignedView part) {
    found.push_back(detail::piece_span(text, part, {id, 0, part.text.size()}));
  };
  cut(whole.view(), *scratch, on_token, [&](AlignedView word) {
    encoder_.segment(vocabulary_, word.text, *scratch);
    for (const auto& piece : scratch->pieces) found.push_back(detail::piece_span(text, word, piece));
    return true;
  });
  return found;
}

KNNBERT_INLINE void Unigram::append(std::string_view text, Batch& batch, index_t max_length) const {
  detail::append_framed("Unigram", special_, text, max_length, batch,
                        [&](std::string_view part, std::size_t limit) { encode(part, batch.ids, limit); });
}

KNNBERT_INLINE void Unigram::append(std::string_view first, std::string_view second, Batch& batch,
                                    index_t max_length) const {
  detail::append_framed("Unigram", special_, {.separators = options_.segments ? 1 : 2, .segments = options_.segments},
                        first, second, max_length, batch,
                        [&](std::string_view part, std::size_t limit) { encode(part, batch.ids, limit); });
}

KNNBERT_INLINE void Unigram::encode_words(std::string_view text, std::vector<token_t>& ids) const {
  encode(text, ids, detail::no_limit);
}

KNNBERT_INLINE std::string_view Unigram::token(token_t id) const {
  return detail::token_text("Unigram", vocabulary(), added_, id);
}

KNNBERT_INLINE std::optional<token_t> Unigram::find(std::string_view token) const {
  return detail::find_token(vocabulary(), added_, token);
}

KNNBERT_INLINE Unigram Unigram::load(const std::filesystem::path& directory, AddedTokenMatching matching) {
  auto description = detail::read_tokenizer<detail::UnigramFormat>(directory);
  description.options.matching = matching;
  try {
    return Unigram(Vocabulary(description.tokens), std::move(description.scores), std::move(description.options));
  } catch (const OptionError& error) { raise<FormatError>("{}: {}", description.file, std::string_view(error.what())); }
}

KNNBERT_INLINE void Unigram::save(const std::filesystem::path& directory) const {
  write_json(directory / "tokenizer.json", detail::tokenizer_json(vocabulary(), scores(), options_, special_));
  write_json(directory / "tokenizer_config.json", detail::tokenizer_config_json(options_, special_));
}

}  // namespace knnbert::inline v0_1
