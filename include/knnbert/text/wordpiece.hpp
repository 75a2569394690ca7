#pragma once
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "knnbert/text/added_vocabulary.hpp"
#include "knnbert/text/concept.hpp"
#include "knnbert/text/text_encoder.hpp"
#include "knnbert/text/wordpiece_options.hpp"

namespace knnbert::inline v0_1 {

/// BERT's tokenizer, id for id that of tokenizers 0.23: normalize, cut into words, cover each word greedily by the
/// longest pieces of the vocabulary.  Cost: linear in the text, whatever it is.  Thread-safe.
/// Source: Wu et al. 2016, section 4.1; Devlin et al. 2019.
class WordPiece {
 public:
  /// Errors: OptionError for options out of range, special tokens that the vocabulary lacks, added tokens whose id
  /// belongs to another token.
  explicit WordPiece(Vocabulary vocabulary, WordPieceOptions options = {});

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
  void append(std::string_view text, Batch& batch, index_t max_length = 0) const;

  /// Appends [CLS] first [SEP] second [SEP]; a pair that is too long loses tokens at the end of the longer text, or of
  /// both.  Errors: OptionError for a max_length other than 0 or at least 3.
  void append(std::string_view first, std::string_view second, Batch& batch, index_t max_length = 0) const;

  /// Appends the pieces of the text without special tokens.
  void encode_words(std::string_view text, std::vector<token_t>& ids) const;

  index_t vocabulary_size() const { return added_.size(); }
  const SpecialTokens& special() const { return special_; }
  const WordPieceOptions& options() const { return options_; }
  const Vocabulary& vocabulary() const { return pieces_.vocabulary(); }  ///< without the added tokens that it lacks
  const SuggestedLengths& suggested_lengths() const { return options_.suggested; }

  /// Text of a token, empty for an unused id.  Errors: OptionError.
  std::string_view token(token_t id) const;

  std::optional<token_t> find(std::string_view token) const;

 private:
  /// Appends pieces as long as ids holds fewer than `limit`.
  void encode(std::string_view text, std::vector<token_t>& ids, std::size_t limit) const;

  WordPieceOptions options_;
  Normalizer normalizer_;
  AddedVocabulary added_;
  SpecialTokens special_;
  GreedyPieces pieces_;
  TextEncoder encoder_;  // of texts, or of normalized ones if these are searched for added tokens
};

static_assert(Tokenizer<WordPiece>);

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/text/wordpiece_impl.hpp"
#endif
