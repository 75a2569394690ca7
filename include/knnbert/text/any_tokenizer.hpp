#pragma once
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "knnbert/text/byte_pair_encoding.hpp"
#include "knnbert/text/unigram.hpp"
#include "knnbert/text/wordpiece.hpp"

namespace knnbert::inline v0_1 {

/// The tokenizer that a directory has: BERT's WordPiece, RoBERTa's byte-level BPE or SentencePiece's unigram model.
/// Thread-safe.
class AnyTokenizer {
 public:
  using Held = std::variant<WordPiece, BytePairEncoding, Unigram>;

  AnyTokenizer(WordPiece tokenizer) : held_(std::move(tokenizer)) {}
  AnyTokenizer(BytePairEncoding tokenizer) : held_(std::move(tokenizer)) {}
  AnyTokenizer(Unigram tokenizer) : held_(std::move(tokenizer)) {}

  /// Reads the one that tokenizer.json describes, else vocab.txt, else vocab.json and merges.txt.
  /// Errors: IoError; FormatError, also for other models, such as WordLevel.
  static AnyTokenizer load(const std::filesystem::path& directory,
                           AddedTokenMatching matching = AddedTokenMatching::ordinary);

  /// What the tokenizer held says.
  void save(const std::filesystem::path& directory) const;
  void append(std::string_view text, Batch& batch, index_t max_length = 0) const;
  void append(std::string_view first, std::string_view second, Batch& batch, index_t max_length = 0) const;
  void encode_words(std::string_view text, std::vector<token_t>& ids) const;
  index_t vocabulary_size() const;
  const SpecialTokens& special() const;
  const Vocabulary& vocabulary() const;
  const SuggestedLengths& suggested_lengths() const;
  std::string_view token(token_t id) const;
  std::optional<token_t> find(std::string_view token) const;

  std::string_view name() const {
    constexpr std::string_view names[] = {"WordPiece", "BytePairEncoding", "Unigram"};
    return names[held_.index()];
  }
  const Held& held() const { return held_; }

 private:
  Held held_;
};

static_assert(StoredTokenizer<AnyTokenizer>);

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/text/any_tokenizer_impl.hpp"
#endif
