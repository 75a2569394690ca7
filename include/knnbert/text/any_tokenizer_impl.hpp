#pragma once
#include "knnbert/config.hpp"
#include "knnbert/io/require_folder.hpp"
#include "knnbert/text/any_tokenizer.hpp"
#include "knnbert/text/tokenizer_model_type.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// As tokenizer.json calls the types of models.
inline std::string model_type_of(const std::filesystem::path& directory) {
  if (const auto whole = directory / "tokenizer.json"; committed_exists(whole)) {
    const auto type = tokenizer_model_type(whole);
    if (type != "BPE" && type != "WordPiece" && type != "Unigram")
      raise<FormatError>("{}: model: type '{}' given, WordPiece, BPE or Unigram expected", whole.string(), type);
    return type;
  }
  if (committed_exists(directory / "vocab.txt")) return "WordPiece";
  if (committed_exists(directory / "vocab.json") && committed_exists(directory / "merges.txt")) return "BPE";
  for (const char* name : {"sentencepiece.bpe.model", "spiece.model", "tokenizer.model"})
    if (committed_exists(directory / name))
      raise<FormatError>(
          "{}: only {} found, tokenizer.json expected. Make it inside the folder with:\n"
          "python3 -c \"from transformers import AutoTokenizer as A; "
          "A.from_pretrained('.').backend_tokenizer.save('tokenizer.json')\"",
          directory.string(), name);
  raise<IoError>("{}: no tokenizer.json, vocab.txt, or vocab.json and merges.txt there", directory.string());
}

}  // namespace detail

KNNBERT_INLINE AnyTokenizer AnyTokenizer::load(const std::filesystem::path& directory, AddedTokenMatching matching) {
  require_folder(directory, "a folder with a tokenizer");
  const auto type = detail::model_type_of(directory);
  if (type == "BPE") return BytePairEncoding::load(directory, matching);
  if (type == "Unigram") return Unigram::load(directory, matching);
  return WordPiece::load(directory, matching);
}

KNNBERT_INLINE void AnyTokenizer::save(const std::filesystem::path& directory) const {
  std::visit([&](const auto& tokenizer) { tokenizer.save(directory); }, held_);
}

KNNBERT_INLINE void AnyTokenizer::append(std::string_view text, Batch& batch, index_t max_length) const {
  std::visit([&](const auto& tokenizer) { tokenizer.append(text, batch, max_length); }, held_);
}

KNNBERT_INLINE void AnyTokenizer::append(std::string_view first, std::string_view second, Batch& batch,
                                         index_t max_length) const {
  std::visit([&](const auto& tokenizer) { tokenizer.append(first, second, batch, max_length); }, held_);
}

KNNBERT_INLINE void AnyTokenizer::encode_words(std::string_view text, std::vector<token_t>& ids) const {
  std::visit([&](const auto& tokenizer) { tokenizer.encode_words(text, ids); }, held_);
}

KNNBERT_INLINE index_t AnyTokenizer::vocabulary_size() const {
  return std::visit([](const auto& tokenizer) { return tokenizer.vocabulary_size(); }, held_);
}

KNNBERT_INLINE const SpecialTokens& AnyTokenizer::special() const {
  return std::visit([](const auto& tokenizer) -> const SpecialTokens& { return tokenizer.special(); }, held_);
}

KNNBERT_INLINE const Vocabulary& AnyTokenizer::vocabulary() const {
  return std::visit([](const auto& tokenizer) -> const Vocabulary& { return tokenizer.vocabulary(); }, held_);
}

KNNBERT_INLINE const SuggestedLengths& AnyTokenizer::suggested_lengths() const {
  return std::visit([](const auto& tokenizer) -> const SuggestedLengths& { return tokenizer.suggested_lengths(); },
                    held_);
}

KNNBERT_INLINE std::string_view AnyTokenizer::token(token_t id) const {
  return std::visit([&](const auto& tokenizer) { return tokenizer.token(id); }, held_);
}

KNNBERT_INLINE std::optional<token_t> AnyTokenizer::find(std::string_view token) const {
  return std::visit([&](const auto& tokenizer) { return tokenizer.find(token); }, held_);
}

}  // namespace knnbert::inline v0_1
