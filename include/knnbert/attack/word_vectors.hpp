#pragma once
#include <filesystem>
#include <optional>
#include <unordered_map>

#include "knnbert/attack/words.hpp"
#include "knnbert/core/matrix.hpp"
#include "knnbert/io/lines.hpp"

namespace knnbert::inline v0_1 {

/// A vector for every word of a vocabulary.
struct WordVectors {
  std::vector<std::string> words;                  // [V]
  Matrix vectors;                                  // [V, D]
  std::unordered_map<std::string, index_t> index;  // of each word, its row

  index_t size() const { return std::ssize(words); }
  std::optional<index_t> find(const std::string& word) const {
    const auto found = index.find(word);
    return found == index.end() ? std::nullopt : std::optional(found->second);
  }

  /// Lines "word v1 v2 ... vD", as counter-fitted and GloVe vectors are published; a first line "V D", as word2vec has
  /// it, is skipped. Of a word that comes twice, the first counts.  Errors: IoError; FormatError with file and line.
  static WordVectors read(const std::filesystem::path& path, const ReadOptions& options = {});
  /// The same of decoded text.
  static WordVectors parse(std::string_view text, std::string_view name);
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/attack/word_vectors_impl.hpp"
#endif
