#pragma once
#include "knnbert/config.hpp"
#include "knnbert/core/error.hpp"
#include "knnbert/text/added_token_search.hpp"
#include "knnbert/text/framing.hpp"
#include "knnbert/text/tokenizer_files.hpp"
#include "knnbert/text/tokenizer_json_writer.hpp"
#include "knnbert/text/wordpiece.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

inline WordPieceOptions complete_options(const Vocabulary& vocabulary, WordPieceOptions options) {
  if (options.max_characters_per_word < 1)
    raise<OptionError>("WordPiece: max_characters_per_word {} given, at least 1 expected",
                       options.max_characters_per_word);
  add_special_tokens(vocabulary, options);
  return options;
}

}  // namespace detail

KNNBERT_INLINE WordPiece::WordPiece(Vocabulary vocabulary, WordPieceOptions options)
    : options_(detail::complete_options(vocabulary, std::move(options))), normalizer_(options_.normalizer),
      added_(vocabulary, options_.added_tokens, options_.matching, normalizer_),
      special_(detail::find_special("WordPiece", vocabulary, added_, options_,
                                    {options_.unknown_token, options_.classify_token, options_.separate_token})),
      pieces_(std::move(vocabulary), options_.prefix, special_.unknown, options_.max_characters_per_word),
      encoder_(added_.normalized().empty() ? normalizer_ : Normalizer(detail::unchanged), pieces_) {}

inline void WordPiece::encode(std::string_view text, std::vector<token_t>& ids, std::size_t limit) const {
  const auto scratch = encoder_.lend();
  const auto on_token = [&](token_t id) { ids.push_back(id); };
  const auto on_text = [&](std::string_view part) { encoder_(part, pieces_, *scratch, ids, limit); };
  const auto on_raw = [&](std::string_view part) {
    if (added_.normalized().empty()) return on_text(part);
    added_.normalized()(normalizer_.normalize(part), on_text, on_token);
  };
  if (added_.raw().empty()) on_raw(text);
  else added_.raw()(text, on_raw, on_token);
  if (ids.size() > limit) ids.resize(limit);
}

KNNBERT_INLINE void WordPiece::append(std::string_view text, Batch& batch, index_t max_length) const {
  detail::append_framed("WordPiece", special_, text, max_length, batch,
                        [&](std::string_view part, std::size_t limit) { encode(part, batch.ids, limit); });
}

KNNBERT_INLINE void WordPiece::append(std::string_view first, std::string_view second, Batch& batch,
                                      index_t max_length) const {
  detail::append_framed("WordPiece", special_, {}, first, second, max_length, batch,
                        [&](std::string_view part, std::size_t limit) { encode(part, batch.ids, limit); });
}

KNNBERT_INLINE void WordPiece::encode_words(std::string_view text, std::vector<token_t>& ids) const {
  encode(text, ids, detail::no_limit);
}

KNNBERT_INLINE std::string_view WordPiece::token(token_t id) const {
  return detail::token_text("WordPiece", vocabulary(), added_, id);
}

KNNBERT_INLINE std::optional<token_t> WordPiece::find(std::string_view token) const {
  return detail::find_token(vocabulary(), added_, token);
}

KNNBERT_INLINE WordPiece WordPiece::load(const std::filesystem::path& directory, AddedTokenMatching matching) {
  auto [tokens, options, file] = detail::read_tokenizer<detail::WordPieceFormat>(directory);
  options.matching = matching;
  try {
    return WordPiece(Vocabulary(tokens), std::move(options));
  } catch (const OptionError& error) { raise<FormatError>("{}: {}", file, std::string_view(error.what())); }
}

KNNBERT_INLINE void WordPiece::save(const std::filesystem::path& directory) const {
  write_json(directory / "tokenizer.json", detail::tokenizer_json(vocabulary(), options_, special_));
  write_json(directory / "tokenizer_config.json", detail::tokenizer_config_json(options_, special_));
  if (!detail::fits_lines(vocabulary())) return;
  std::string lines;
  for (token_t id = 0; id < vocabulary().size(); ++id) (lines += vocabulary().token(id)) += '\n';
  write_file_atomically(directory / "vocab.txt", lines);
}

}  // namespace knnbert::inline v0_1
