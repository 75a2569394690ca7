#pragma once
#include <limits>

#include "knnbert/config.hpp"
#include "knnbert/core/error.hpp"
#include "knnbert/io/utf8.hpp"
#include "knnbert/text/added_token_search.hpp"
#include "knnbert/text/byte_pair_encoding.hpp"
#include "knnbert/text/byte_pair_files.hpp"
#include "knnbert/text/byte_pair_json_writer.hpp"
#include "knnbert/text/framing.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

inline BytePairOptions complete_options(const Vocabulary& vocabulary, BytePairOptions options) {
  add_special_tokens(vocabulary, options);
  return options;
}

inline NormalizerOptions lowercase_only(bool lowercase) {
  auto options = unchanged;
  options.lowercase = lowercase;
  return options;
}

/// Ids of the parts and results of merges.
inline BytePairMerges find_merges(const Vocabulary& vocabulary, const std::vector<BytePairEncoding::Merge>& merges) {
  if (merges.empty()) raise<OptionError>("BytePairEncoding: no merges given, at least one expected");
  const auto id_of = [&](const std::string& token, const BytePairEncoding::Merge& merge) {
    const auto id = vocabulary.find(token);
    if (!id)
      raise<OptionError>("BytePairEncoding: merge '{} {}' given, but the vocabulary lacks '{}'", merge.first,
                         merge.second, token);
    return *id;
  };
  std::vector<BytePairMerges::Merge> found;
  for (const auto& merge : merges)
    found.push_back({id_of(merge.first, merge), id_of(merge.second, merge), id_of(merge.first + merge.second, merge)});
  return BytePairMerges(std::move(found));
}

inline BytePairEncoder::Settings encoder_settings(const Vocabulary& vocabulary, const BytePairOptions& options) {
  BytePairEncoder::Settings settings{.add_prefix_space = options.add_prefix_space,
                                     .split_words = options.split_words,
                                     .fuse_missing = options.fuse_missing};
  if (!options.missing_token) return settings;
  settings.missing = vocabulary.find(*options.missing_token).value_or(-1);
  if (settings.missing < 0)
    raise<OptionError>("BytePairEncoding: token '{}' expected in the vocabulary, which lacks it",
                       *options.missing_token);
  return settings;
}

}  // namespace detail

KNNBERT_INLINE BytePairEncoding::BytePairEncoding(Vocabulary vocabulary, const std::vector<Merge>& merges,
                                                  BytePairOptions options)
    : options_(detail::complete_options(vocabulary, std::move(options))),
      normalizer_(detail::lowercase_only(options_.lowercase)), vocabulary_(std::move(vocabulary)),
      added_(vocabulary_, options_.added_tokens, options_.matching, normalizer_),
      special_(detail::find_special("BytePairEncoding", vocabulary_, added_, options_,
                                    {options_.classify_token, options_.separate_token})),
      encoder_(vocabulary_, detail::find_merges(vocabulary_, merges), detail::encoder_settings(vocabulary_, options_)) {
}

inline void BytePairEncoding::encode(std::string_view text, std::vector<token_t>& ids, std::size_t limit) const {
  std::string repaired, lowered;
  if (find_invalid_utf8(text) >= 0) text = repaired = repair_utf8(text);
  const auto scratch = encoder_.lend();
  const auto on_token = [&](token_t id) { ids.push_back(id); };
  const auto on_text = [&](std::string_view part) { encoder_(part, *scratch, ids, limit); };
  const auto on_raw = [&](std::string_view part) {
    if (options_.lowercase) part = lowered = normalizer_.normalize(part);
    if (added_.normalized().empty()) on_text(part);
    else added_.normalized()(part, on_text, on_token);
  };
  if (added_.raw().empty()) on_raw(text);
  else added_.raw()(text, on_raw, on_token);
  if (ids.size() > limit) ids.resize(limit);
}

KNNBERT_INLINE void BytePairEncoding::append(std::string_view text, Batch& batch, index_t max_length) const {
  detail::append_framed("BytePairEncoding", special_, text, max_length, batch,
                        [&](std::string_view part, std::size_t limit) { encode(part, batch.ids, limit); });
}

KNNBERT_INLINE void BytePairEncoding::append(std::string_view first, std::string_view second, Batch& batch,
                                             index_t max_length) const {
  detail::append_framed("BytePairEncoding", special_, {.separators = 2, .segments = false}, first, second, max_length,
                        batch, [&](std::string_view part, std::size_t limit) { encode(part, batch.ids, limit); });
}

KNNBERT_INLINE void BytePairEncoding::encode_words(std::string_view text, std::vector<token_t>& ids) const {
  encode(text, ids, detail::no_limit);
}

KNNBERT_INLINE std::string_view BytePairEncoding::token(token_t id) const {
  return detail::token_text("BytePairEncoding", vocabulary(), added_, id);
}

KNNBERT_INLINE std::optional<token_t> BytePairEncoding::find(std::string_view token) const {
  return detail::find_token(vocabulary(), added_, token);
}

KNNBERT_INLINE BytePairEncoding BytePairEncoding::load(const std::filesystem::path& directory,
                                                       AddedTokenMatching matching) {
  auto description = detail::read_tokenizer<detail::BytePairFormat>(directory);
  description.options.matching = matching;
  try {
    return BytePairEncoding(Vocabulary(description.tokens), description.merges, std::move(description.options));
  } catch (const OptionError& error) { raise<FormatError>("{}: {}", description.file, std::string_view(error.what())); }
}

KNNBERT_INLINE void BytePairEncoding::save(const std::filesystem::path& directory) const {
  const auto& merges = encoder_.merges().merges();
  write_json(directory / "tokenizer.json", detail::tokenizer_json(vocabulary(), merges, options_, special_));
  write_json(directory / "tokenizer_config.json", detail::tokenizer_config_json(options_, special_));
  if (!detail::fits_merge_lines(vocabulary(), merges)) return;
  write_json(directory / "vocab.json", detail::vocabulary_json(vocabulary()), -1);
  write_file_atomically(directory / "merges.txt", detail::merge_lines(vocabulary(), merges));
}

}  // namespace knnbert::inline v0_1
