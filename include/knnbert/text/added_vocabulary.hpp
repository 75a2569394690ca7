#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knnbert/text/added_tokens.hpp"
#include "knnbert/text/vocabulary.hpp"

namespace knnbert::inline v0_1 {

/// Added tokens beside a vocabulary: their names and ids, and what finds them in text.
class AddedVocabulary {
 public:
  /// The normalizer has normalize(text).  Errors: OptionError for a token whose id belongs to another one.
  template <class AnyNormalizer>
  AddedVocabulary(const Vocabulary& vocabulary, const std::vector<AddedToken>& tokens, AddedTokenMatching matching,
                  const AnyNormalizer& normalizer)
      : AddedVocabulary(vocabulary, tokens, matching, normalized_contents(tokens, normalizer)) {}

  index_t size() const { return size_; }  ///< ids of the vocabulary and of added tokens are below
  const AddedTokenMatcher& raw() const { return raw_; }
  const AddedTokenMatcher& normalized() const { return normalized_; }

  /// A token that the vocabulary lacks.
  std::optional<token_t> find(std::string_view content) const;

  /// Content of a token that the vocabulary lacks, empty for an unused id.
  std::string_view token(token_t id) const;

 private:
  /// [tokens], empty for those that are looked for in the raw text.
  template <class AnyNormalizer>
  static std::vector<std::string> normalized_contents(const std::vector<AddedToken>& tokens,
                                                      const AnyNormalizer& normalizer) {
    std::vector<std::string> contents;
    for (const auto& token : tokens)
      contents.push_back(token.normalized ? normalizer.normalize(token.content) : std::string());
    return contents;
  }

  AddedVocabulary(const Vocabulary& vocabulary, const std::vector<AddedToken>& tokens, AddedTokenMatching matching,
                  const std::vector<std::string>& normalized);
  void add_names(const Vocabulary& vocabulary, const std::vector<AddedToken>& tokens);

  Vocabulary names_;
  std::vector<token_t> ids_;  // of names_, ascending
  AddedTokenMatcher raw_, normalized_;
  index_t size_;
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/text/added_vocabulary_impl.hpp"
#endif
