#pragma once
#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

#include "knnbert/core/error.hpp"
#include "knnbert/text/added_vocabulary.hpp"
#include "knnbert/text/concept.hpp"
#include "knnbert/text/normalizer.hpp"

/// What tokenizers share around the pieces of their texts: special tokens and truncation.
namespace knnbert::inline v0_1::detail {

/// What leaves every text as it is.
inline constexpr NormalizerOptions unchanged{
    .clean_text = false, .chinese_characters = false, .strip_accents = false, .lowercase = false};

/// Makes the special tokens of the vocabulary added tokens, if they are none yet.
template <class Options>
void add_special_tokens(const Vocabulary& vocabulary, Options& options) {
  auto& added = options.added_tokens;
  for (const auto& name :
       {options.pad_token, options.unknown_token, options.classify_token, options.separate_token, options.mask_token}) {
    const bool is_added =
        std::any_of(added.begin(), added.end(), [&](const AddedToken& token) { return token.content == name; });
    const auto id = vocabulary.find(name);
    if (id && !is_added) added.push_back({.content = name, .id = *id});
  }
}

/// The id of a token, added or not.
inline std::optional<token_t> find_token(const Vocabulary& vocabulary, const AddedVocabulary& added,
                                         std::string_view name) {
  const auto id = vocabulary.find(name);
  return id ? id : added.find(name);
}

/// Text of a token, added or not, empty for an unused id.  Errors: OptionError.
inline std::string_view token_text(std::string_view tokenizer, const Vocabulary& vocabulary,
                                   const AddedVocabulary& added, token_t id) {
  if (id < vocabulary.size()) return vocabulary.token(id);
  if (id >= added.size()) raise<OptionError>("{}::token: id {} given, below {} expected", tokenizer, id, added.size());
  return added.token(id);
}

/// Ids of the special tokens.  Errors: OptionError for a required one that is no token.
template <class Options>
SpecialTokens find_special(std::string_view tokenizer, const Vocabulary& vocabulary, const AddedVocabulary& added,
                           const Options& options, std::initializer_list<std::string_view> required) {
  const auto id_of = [&](std::string_view name) { return find_token(vocabulary, added, name).value_or(-1); };
  for (const auto name : required)
    if (id_of(name) < 0)
      raise<OptionError>("{}: token '{}' expected in the vocabulary, which lacks it", tokenizer, name);
  return {.unknown = id_of(options.unknown_token),
          .classify = id_of(options.classify_token),
          .separate = id_of(options.separate_token),
          .pad = id_of(options.pad_token),
          .mask = id_of(options.mask_token)};
}

inline void require_length(std::string_view tokenizer, index_t max_length, index_t least) {
  if (max_length != 0 && max_length < least)
    raise<OptionError>("{}::append: max_length {} given, 0 or at least {} expected", tokenizer, max_length, least);
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

inline constexpr auto no_limit = static_cast<std::size_t>(-1);

/// Appends classify, text, separate. encode(text, limit) appends pieces to batch.ids as long as these are fewer than
/// `limit`.  Errors: OptionError.
template <class Encode>
void append_framed(std::string_view tokenizer, const SpecialTokens& special, std::string_view text, index_t max_length,
                   Batch& batch, Encode&& encode) {
  require_length(tokenizer, max_length, 2);
  auto& ids = batch.ids;
  ids.push_back(special.classify);
  encode(text, max_length == 0 ? no_limit : ids.size() + as_size(max_length) - 2);
  ids.push_back(special.separate);
  batch.close_text();
}

/// What stands between two texts, and whether the second one is another segment.
struct PairFraming {
  index_t separators = 1;
  bool segments = true;
};

/// Appends classify, first, separators, second, separate, the texts cut by truncate_pair.  Errors: OptionError.
template <class Encode>
void append_framed(std::string_view tokenizer, const SpecialTokens& special, const PairFraming& framing,
                   std::string_view first, std::string_view second, index_t max_length, Batch& batch, Encode&& encode) {
  const index_t around = framing.separators + 2;
  require_length(tokenizer, max_length, around);
  auto& ids = batch.ids;
  ids.push_back(special.classify);
  const auto begin = ids.size();
  encode(first, no_limit);
  auto middle = ids.size();
  encode(second, no_limit);
  if (max_length > 0) middle = truncate_pair(ids, begin, middle, as_size(max_length - around));
  ids.insert(ids.begin() + static_cast<index_t>(middle), as_size(framing.separators), special.separate);
  batch.segments.resize(middle + as_size(framing.separators), 0);
  ids.push_back(special.separate);
  batch.segments.resize(ids.size(), framing.segments ? 1 : 0);
  batch.close_text();
}

}  // namespace knnbert::inline v0_1::detail
