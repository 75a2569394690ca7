#pragma once
#include <concepts>
#include <filesystem>
#include <string_view>

#include "knnbert/text/batch.hpp"

namespace knnbert::inline v0_1 {

/// Ids of the tokens that frame and replace others; -1 for one that the vocabulary lacks.
struct SpecialTokens {
  token_t unknown = -1, classify = -1, separate = -1, pad = -1, mask = -1;
};

/// Turns text into token ids, special tokens included, and closes the text in the batch.
/// Pure: the ids depend on the arguments alone; any bytes are text; every id is in [0, vocabulary_size()).
/// max_length counts special tokens, 0 means no limit; a limit too small for the special tokens is an OptionError.
/// Segments are 1 from the first token of the second text of a pair on. Safe to call concurrently.
template <class T>
concept Tokenizer = requires(const T& tokenizer, std::string_view text, Batch& batch, index_t max_length) {
  tokenizer.append(text, batch, max_length);
  tokenizer.append(text, text, batch, max_length);
  { tokenizer.vocabulary_size() } -> std::convertible_to<index_t>;
  { tokenizer.special() } -> std::convertible_to<SpecialTokens>;
};

/// One that model directories hold: load(directory) reads what Hugging Face's tokenizers and save(directory) write.
/// Errors: IoError, FormatError.
template <class T>
concept StoredTokenizer = Tokenizer<T> && std::copyable<T> &&
    requires(const T& tokenizer, const std::filesystem::path& directory) {
  { T::load(directory) } -> std::same_as<T>;
  tokenizer.save(directory);
};

}  // namespace knnbert::inline v0_1
