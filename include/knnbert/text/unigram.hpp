#pragma once
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "knnbert/text/added_vocabulary.hpp"
#include "knnbert/text/concept.hpp"
#include "knnbert/text/normalizer_sequence.hpp"
#include "knnbert/text/unigram_encoder.hpp"
#include "knnbert/text/unigram_options.hpp"

namespace knnbert::inline v0_1 {

/// SentencePiece's unigram tokenizer, of XLM-R and many Chinese models, id for id that of tokenizers 0.23: of all ways
/// to cut a word into pieces the most likely one.  Cost: linear in the text.  Thread-safe.
/// Source: Kudo 2018; Kudo and Richardson 2018.
class Unigram {
 public:
  /// One score, a logarithm of a probability, for each token of the vocabulary.
  /// Errors: OptionError for no tokens, another number of scores, scores that are not finite, special tokens that the
  /// vocabulary lacks, added tokens whose id belongs to another token, and wrong steps of the options.
  Unigram(Vocabulary vocabulary, std::vector<double> scores, UnigramOptions options = {});

  /// Reads tokenizer.json, and with it special_tokens_map.json and tokenizer_config.json. Added tokens that are not
  /// special are found in texts; special ones, such as </s>, are ordinary text there unless asked for.
  /// Errors: IoError, FormatError.
  static Unigram load(const std::filesystem::path& directory,
                      AddedTokenMatching matching = AddedTokenMatching::ordinary);

  /// Writes what load and transformers' AutoTokenizer read.
  /// Errors: IoError; FormatError for tokens that are not UTF-8.
  void save(const std::filesystem::path& directory) const;

  /// Appends <s> text </s>.  Errors: OptionError for a max_length other than 0 or at least 2.
  void append(std::string_view text, Batch& batch, index_t max_length = 0) const;

  /// Appends <s> first </s></s> second </s>, or with segments [CLS] first [SEP] second [SEP]; a pair that is too long
  /// loses tokens at the end of the longer text, or of both.
  /// Errors: OptionError for a max_length other than 0 or at least 4, with segments 3.
  void append(std::string_view first, std::string_view second, Batch& batch, index_t max_length = 0) const;

  /// Appends the pieces of the text without special tokens. Bytes that are not UTF-8 count as U+FFFD.
  void encode_words(std::string_view text, std::vector<token_t>& ids) const;

  /// The same pieces with the bytes of the text that each one stands for, without white space at their ends: they do
  /// not overlap and come in the order of the text. Marks of word boundaries stand for nothing. Of pieces that share a
  /// character the first one has it.
  std::vector<PieceSpan> spans(std::string_view text) const;

  index_t vocabulary_size() const { return added_.size(); }
  const SpecialTokens& special() const { return special_; }
  const UnigramOptions& options() const { return options_; }
  const Vocabulary& vocabulary() const { return vocabulary_; }             ///< without the added tokens that it lacks
  const std::vector<double>& scores() const { return encoder_.scores(); }  ///< [vocabulary().size()]
  const SuggestedLengths& suggested_lengths() const { return options_.suggested; }

  /// Text of a token as the vocabulary writes it, empty for an unused id.  Errors: OptionError.
  std::string_view token(token_t id) const;

  std::optional<token_t> find(std::string_view token) const;

 private:
  /// Calls on_token(id, part) for added tokens and on_word(part), which returns false to stop, for words.
  template <class OnToken, class OnWord>
  void cut(AlignedView text, UnigramEncoder::Scratch& scratch, OnToken on_token, OnWord on_word) const;
  /// Appends pieces as long as ids holds fewer than `limit`.
  void encode(std::string_view text, std::vector<token_t>& ids, std::size_t limit) const;

  UnigramOptions options_;
  NormalizerSequence normalizer_;
  PreTokenizerSequence pre_tokenizer_;
  Vocabulary vocabulary_;
  AddedVocabulary added_;
  SpecialTokens special_;
  UnigramEncoder encoder_;
};

static_assert(Tokenizer<Unigram>);

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/text/unigram_impl.hpp"
#endif
