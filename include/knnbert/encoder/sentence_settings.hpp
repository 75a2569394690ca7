#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "knnbert/encoder/pooling.hpp"

/// What sentence-transformers says of the encoder in a directory, in the spelling of any of its versions: modules.json,
/// sentence_bert_config.json (or sentence_roberta_config.json and the like) and a folder for each further module, such
/// as 1_Pooling.
namespace knnbert::inline v0_1 {

/// How a directory wants its embeddings to be made, as far as it says so.
struct SentenceSettings {
  std::optional<Pooling> pooling = {};
  index_t max_length = 0;           ///< tokens of a text, special tokens included
  bool normalized = false;          ///< embeddings have length 1
  std::string problem = {};         ///< file and reason if its embeddings cannot be computed here, else empty
  std::string note = {};            ///< what its users get beside, where it is not done
  std::string prompt = {};          ///< what its users put before every text unless they ask for another
  index_t dimension = 0;            ///< of an embedding its users keep the first so many values; 0: all
  std::string prompt_problem = {};  ///< file and reason if the prompt cannot be put there, else empty

  /// The directory's pooling, mean where it names none.  Errors: FormatError for embeddings that cannot be computed.
  Pooling require_pooling() const;
};

namespace detail {

/// What tokenizer_config.json calls the longest text; 0: nothing, or no limit.
index_t model_max_length(const std::filesystem::path& path);

}  // namespace detail

/// Reads the settings of a directory; without these files nothing is said.  Errors: IoError, FormatError for damaged
/// files.
SentenceSettings read_sentence_settings(const std::filesystem::path& folder);

/// Writes them so that sentence-transformers loads the folder. width: of the embedding.  Errors: IoError.
void write_sentence_settings(const std::filesystem::path& folder, index_t width, Pooling pooling, index_t max_length,
                             bool normalized);

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/encoder/sentence_settings_impl.hpp"
#endif
