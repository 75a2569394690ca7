#pragma once
#include <algorithm>

#include "knnbert/config.hpp"
#include "knnbert/core/error.hpp"
#include "knnbert/text/added_token_search.hpp"
#include "knnbert/text/tokenizer_files.hpp"
#include "knnbert/text/wordpiece.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// What leaves every text as it is.
inline constexpr NormalizerOptions unchanged{
    .clean_text = false, .chinese_characters = false, .strip_accents = false, .lowercase = false};

inline WordPieceOptions complete_options(const Vocabulary& vocabulary, WordPieceOptions options) {
  if (options.max_characters_per_word < 1)
    raise<OptionError>("WordPiece: max_characters_per_word {} given, at least 1 expected",
                       options.max_characters_per_word);
  auto& added = options.added_tokens;
  for (const auto& name :
       {options.pad_token, options.unknown_token, options.classify_token, options.separate_token, options.mask_token}) {
    const bool is_added =
        std::any_of(added.begin(), added.end(), [&](const AddedToken& token) { return token.content == name; });
    const auto id = vocabulary.find(name);
    if (id && !is_added) added.push_back({.content = name, .id = *id});
  }
  return options;
}

inline void require_length(index_t max_length, index_t least) {
  if (max_length != 0 && max_length < least)
    raise<OptionError>("WordPiece::append: max_length {} given, 0 or at least {} expected", max_length, least);
}

/// The strategy longest_first of tokenizers: if one text is short it stays whole, else they share the room. The texts
/// are ids[begin, middle) and ids[middle, size). Returns the new middle.
inline std::size_t truncate_pair(std::vector<token_t>& ids, std::size_t begin, std::size_t middle, std::size_t room) {
  auto first = middle - begin, second = ids.size() - middle;
  if (first + second <= room) return middle;
  auto& shorter = first <= second ? first : second;
  auto& longer = first <= second ? second : first;
  shorter = std::min(shorter, room / 2);
  longer = room - shorter;
  ids.resize(middle + second);
  const auto place = [&](std::size_t i) { return ids.begin() + static_cast<index_t>(i); };
  ids.erase(place(begin + first), place(middle));
  return begin + first;
}

}  // namespace detail

inline SpecialTokens WordPiece::find_special(const Vocabulary& vocabulary) const {
  const auto id_of = [&](const std::string& name) {
    return vocabulary.find(name).value_or(added_.find(name).value_or(-1));
  };
  const auto require = [&](const std::string& name) {
    if (id_of(name) < 0) raise<OptionError>("WordPiece: token '{}' expected in the vocabulary, which lacks it", name);
    return id_of(name);
  };
  return {.unknown = require(options_.unknown_token),
          .classify = require(options_.classify_token),
          .separate = require(options_.separate_token),
          .pad = id_of(options_.pad_token),
          .mask = id_of(options_.mask_token)};
}

KNNBERT_INLINE WordPiece::WordPiece(Vocabulary vocabulary, WordPieceOptions options)
    : options_(detail::complete_options(vocabulary, std::move(options))), normalizer_(options_.normalizer),
      added_(vocabulary, options_.added_tokens, options_.matching, normalizer_), special_(find_special(vocabulary)),
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
  detail::require_length(max_length, 2);
  auto& ids = batch.ids;
  ids.push_back(special_.classify);
  encode(text, ids, max_length == 0 ? TextEncoder::unlimited : ids.size() + static_cast<std::size_t>(max_length) - 2);
  ids.push_back(special_.separate);
  batch.close_text();
}

KNNBERT_INLINE void WordPiece::append(std::string_view first, std::string_view second, Batch& batch,
                                      index_t max_length) const {
  detail::require_length(max_length, 3);
  auto& ids = batch.ids;
  ids.push_back(special_.classify);
  const auto begin = ids.size();
  encode_words(first, ids);
  auto middle = ids.size();
  encode_words(second, ids);
  if (max_length > 0) middle = detail::truncate_pair(ids, begin, middle, static_cast<std::size_t>(max_length) - 3);
  ids.insert(ids.begin() + static_cast<index_t>(middle), special_.separate);
  batch.segments.resize(middle + 1, 0);
  ids.push_back(special_.separate);
  batch.segments.resize(ids.size(), 1);
  batch.close_text();
}

KNNBERT_INLINE void WordPiece::encode_words(std::string_view text, std::vector<token_t>& ids) const {
  encode(text, ids, TextEncoder::unlimited);
}

KNNBERT_INLINE std::string_view WordPiece::token(token_t id) const {
  if (id < vocabulary().size()) return vocabulary().token(id);
  if (id >= vocabulary_size())
    raise<OptionError>("WordPiece::token: id {} given, below {} expected", id, vocabulary_size());
  return added_.token(id);
}

KNNBERT_INLINE std::optional<token_t> WordPiece::find(std::string_view token) const {
  const auto id = vocabulary().find(token);
  return id ? id : added_.find(token);
}

KNNBERT_INLINE WordPiece WordPiece::load(const std::filesystem::path& directory, AddedTokenMatching matching) {
  auto [tokens, options, file] = detail::read_tokenizer(directory);
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
