#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "knnbert/text/added_vocabulary.hpp"
#include "knnbert/text/byte_pair_encoder.hpp"
#include "knnbert/text/byte_pair_options.hpp"
#include "knnbert/text/concept.hpp"
#include "knnbert/text/normalizer.hpp"

namespace knnbert::inline v0_1 {

/// RoBERTa's tokenizer, id for id that of tokenizers 0.23: byte-level byte pair encoding, which knows every text. All
/// segments are 0.  Cost: linear in the text, n log n for a word of n bytes.  Thread-safe.
/// Source: Sennrich et al. 2016, section 3.2; Radford et al. 2019, section 2.2; Liu et al. 2019.
class BytePairEncoding {
 public:
  using Merge = std::pair<std::string, std::string>;

  /// The vocabulary writes bytes as byte_characters (byte_level.hpp) does; merges that come first win.
  /// Errors: OptionError for no merges, merges whose parts or result the vocabulary lacks, special tokens that it
  /// lacks, added tokens whose id belongs to another token.
  BytePairEncoding(Vocabulary vocabulary, const std::vector<Merge>& merges, BytePairOptions options = {});

  /// Reads tokenizer.json, else vocab.json and merges.txt, and with either special_tokens_map.json and
  /// tokenizer_config.json, whose add_prefix_space wins over that of tokenizer.json (as in transformers). Added tokens
  /// that are not special are found in texts; special ones, such as </s>, are ordinary text there unless asked for.
  /// Errors: IoError, FormatError.
  static BytePairEncoding load(const std::filesystem::path& directory,
                               AddedTokenMatching matching = AddedTokenMatching::ordinary);

  /// Writes what load and transformers' AutoTokenizer read.
  /// Errors: IoError; FormatError for tokens that are not UTF-8.
  void save(const std::filesystem::path& directory) const;

  /// Appends <s> text </s>.  Errors: OptionError for a max_length other than 0 or at least 2.
  void append(std::string_view text, Batch& batch, index_t max_length = 0) const;

  /// Appends <s> first </s></s> second </s>; a pair that is too long loses tokens at the end of the longer text, or of
  /// both.  Errors: OptionError for a max_length other than 0 or at least 4.
  void append(std::string_view first, std::string_view second, Batch& batch, index_t max_length = 0) const;

  /// Appends the pieces of the text without special tokens. Bytes that are not UTF-8 count as U+FFFD.
  void encode_words(std::string_view text, std::vector<token_t>& ids) const;

  index_t vocabulary_size() const { return added_.size(); }
  const SpecialTokens& special() const { return special_; }
  const BytePairOptions& options() const { return options_; }
  const Vocabulary& vocabulary() const { return vocabulary_; }  ///< without the added tokens that it lacks
  const SuggestedLengths& suggested_lengths() const { return options_.suggested; }

  /// Text of a token as the vocabulary writes it, empty for an unused id.  Errors: OptionError.
  std::string_view token(token_t id) const;

  std::optional<token_t> find(std::string_view token) const;

 private:
  /// Appends pieces as long as ids holds fewer than `limit`.
  void encode(std::string_view text, std::vector<token_t>& ids, std::size_t limit) const;

  BytePairOptions options_;
  Normalizer normalizer_;
  Vocabulary vocabulary_;
  AddedVocabulary added_;
  SpecialTokens special_;
  BytePairEncoder encoder_;
};

static_assert(Tokenizer<BytePairEncoding>);

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/text/byte_pair_encoding_impl.hpp"
#endif
