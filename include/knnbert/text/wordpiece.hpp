#pragma once
#include <algorithm>
#include <filesystem>

#include "knnbert/text/added_vocabulary.hpp"
#include "knnbert/text/concept.hpp"
#include "knnbert/text/text_encoder.hpp"
#include "knnbert/text/wordpiece_options.hpp"

namespace knnbert {

/// BERT's tokenizer, id for id that of tokenizers 0.23: normalize, cut into words, cover each word greedily by the
/// longest pieces of the vocabulary.  Cost: linear in the text, whatever it is.  Thread-safe.
/// Source: Wu et al. 2016, section 4.1; Devlin et al. 2019.
class WordPiece {
 public:
  /// Errors: OptionError for options out of range, special tokens that the vocabulary lacks, added tokens whose id
  /// belongs to another token.
  explicit WordPiece(Vocabulary vocabulary, WordPieceOptions options = {})
      : options_(complete(vocabulary, std::move(options))), normalizer_(options_.normalizer),
        added_(vocabulary, options_.added_tokens, options_.matching, normalizer_), special_(find_special(vocabulary)),
        pieces_(std::move(vocabulary), options_.prefix, special_.unknown, options_.max_characters_per_word),
        encoder_(added_.normalized().empty() ? normalizer_ : Normalizer(as_is), pieces_) {}

  /// Reads tokenizer.json, else vocab.txt, and with either special_tokens_map.json and tokenizer_config.json, whose
  /// normalizer settings win over those of tokenizer.json (as in transformers). Added tokens that are not special are
  /// found in texts; special ones, such as [SEP], are ordinary text there unless asked for.  Errors: IoError,
  /// FormatError.
  static WordPiece load(const std::filesystem::path& directory,
                        AddedTokenMatching matching = AddedTokenMatching::ordinary);

  /// Writes what load and transformers' AutoTokenizer read.
  /// Errors: IoError; FormatError for tokens that are not UTF-8.
  void save(const std::filesystem::path& directory) const;

  /// Appends [CLS] text [SEP].  Errors: OptionError for a max_length other than 0 or at least 2.
  void append(std::string_view text, Batch& batch, index_t max_length = 0) const {
    require_length(max_length, 2);
    auto& ids = batch.ids;
    ids.push_back(special_.classify);
    encode(text, ids, max_length == 0 ? unlimited : ids.size() + static_cast<std::size_t>(max_length) - 2);
    ids.push_back(special_.separate);
    batch.close_text();
  }

  /// Appends [CLS] first [SEP] second [SEP]; a pair that is too long loses tokens at the end of the longer text, or of
  /// both.  Errors: OptionError for a max_length other than 0 or at least 3.
  void append(std::string_view first, std::string_view second, Batch& batch, index_t max_length = 0) const {
    require_length(max_length, 3);
    auto& ids = batch.ids;
    ids.push_back(special_.classify);
    const auto begin = ids.size();
    encode_words(first, ids);
    auto middle = ids.size();
    encode_words(second, ids);
    if (max_length > 0) middle = truncate(ids, begin, middle, static_cast<std::size_t>(max_length) - 3);
    ids.insert(ids.begin() + static_cast<index_t>(middle), special_.separate);
    batch.segments.resize(middle + 1, 0);
    ids.push_back(special_.separate);
    batch.segments.resize(ids.size(), 1);
    batch.close_text();
  }

  /// Appends the pieces of the text without special tokens.
  void encode_words(std::string_view text, std::vector<token_t>& ids) const { encode(text, ids, unlimited); }

  index_t vocabulary_size() const { return added_.size(); }
  const SpecialTokens& special() const { return special_; }
  const WordPieceOptions& options() const { return options_; }
  const Vocabulary& vocabulary() const { return pieces_.vocabulary(); }  ///< without the added tokens that it lacks
  const SuggestedLengths& suggested_lengths() const { return options_.suggested; }

  /// Text of a token, empty for an unused id.  Errors: OptionError.
  std::string_view token(token_t id) const {
    if (id < vocabulary().size()) return vocabulary().token(id);
    if (id >= vocabulary_size())
      raise<OptionError>("WordPiece::token: id {} given, below {} expected", id, vocabulary_size());
    return added_.token(id);
  }

  std::optional<token_t> find(std::string_view token) const {
    const auto id = vocabulary().find(token);
    return id ? id : added_.find(token);
  }

 private:
  static constexpr auto unlimited = TextEncoder::unlimited;
  static constexpr NormalizerOptions as_is{
      .clean_text = false, .chinese_characters = false, .strip_accents = false, .lowercase = false};

  static WordPieceOptions complete(const Vocabulary& vocabulary, WordPieceOptions options) {
    if (options.max_characters_per_word < 1)
      raise<OptionError>("WordPiece: max_characters_per_word {} given, at least 1 expected",
                         options.max_characters_per_word);
    auto& added = options.added_tokens;
    for (const auto& name : {options.pad_token, options.unknown_token, options.classify_token, options.separate_token,
                             options.mask_token}) {
      const bool is_added =
          std::any_of(added.begin(), added.end(), [&](const AddedToken& token) { return token.content == name; });
      const auto id = vocabulary.find(name);
      if (id && !is_added) added.push_back({.content = name, .id = *id});
    }
    return options;
  }

  SpecialTokens find_special(const Vocabulary& vocabulary) const {
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

  static void require_length(index_t max_length, index_t least) {
    if (max_length != 0 && max_length < least)
      raise<OptionError>("WordPiece::append: max_length {} given, 0 or at least {} expected", max_length, least);
  }

  /// The strategy longest_first of tokenizers: if one text is short it stays whole, else they share the room. The texts
  /// are ids[begin, middle) and ids[middle, size). Returns the new middle.
  static std::size_t truncate(std::vector<token_t>& ids, std::size_t begin, std::size_t middle, std::size_t room) {
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

  /// Appends pieces as long as ids holds fewer than `limit`.
  void encode(std::string_view text, std::vector<token_t>& ids, std::size_t limit) const {
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

  WordPieceOptions options_;
  Normalizer normalizer_;
  AddedVocabulary added_;
  SpecialTokens special_;
  GreedyPieces pieces_;
  TextEncoder encoder_;  // of texts, or of normalized ones if these are searched for added tokens
};

static_assert(Tokenizer<WordPiece>);

}  // namespace knnbert

#include "knnbert/text/tokenizer_files.hpp"
