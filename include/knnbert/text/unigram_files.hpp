#pragma once
#include "knnbert/text/tokenizer_directory.hpp"
#include "knnbert/text/unigram_json.hpp"

/// Unigram tokenizers in Hugging Face directories.
namespace knnbert::inline v0_1::detail {

struct UnigramFormat {
  using Description = UnigramDescription;
  static constexpr const char* vocabulary_files = "other file of a unigram model that can be read";

  static void read_tokenizer_json(const std::filesystem::path& path, Description& description) {
    knnbert::read_tokenizer_json(path, description);
  }

  static bool read_vocabulary(const std::filesystem::path&, const Json&, Description&) { return false; }

  static void read_settings(const Json&, UnigramOptions&, const std::string&) {}

  static void lower_case(UnigramOptions& options) {
    options.normalizer.insert(options.normalizer.begin(), {.kind = NormalizationStep::lowercase});
  }
};

}  // namespace knnbert::inline v0_1::detail
