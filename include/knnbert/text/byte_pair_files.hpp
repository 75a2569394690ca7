#pragma once
#include "knnbert/text/byte_pair_json.hpp"
#include "knnbert/text/tokenizer_directory.hpp"

/// Byte-level BPE tokenizers in Hugging Face directories.
namespace knnbert::inline v0_1::detail {

struct BytePairFormat {
  using Description = BytePairDescription;
  static constexpr const char* vocabulary_files = "vocab.json and merges.txt";

  static void read_tokenizer_json(const std::filesystem::path& path, Description& description) {
    knnbert::read_tokenizer_json(path, description);
  }

  static bool read_vocabulary(const std::filesystem::path& directory, Description& description) {
    const auto vocabulary = directory / "vocab.json", merges = directory / "merges.txt";
    if (!committed_exists(vocabulary) || !committed_exists(merges)) return false;
    description.file = vocabulary.string() + ", merges.txt";
    const auto [json, bytes] = parse_tokenizer_json(vocabulary);
    description.tokens = tokens_from_json(json, bytes, vocabulary.string());
    const auto text = read_text(merges, {.strict_utf8 = true});
    refuse_placeholder(text, merges.string());
    for (LineReader reader(text); reader.next();)
      if (const auto line = without_carriage_return(reader.line()); !line.empty())
        add_merge(std::string(line), description, format("{}:{}", merges.string(), reader.number()));
    return true;
  }

  static void read_settings(const Json& json, BytePairOptions& options, const std::string& where) {
    if (!is_general_class(json, where))
      options.add_prefix_space = optional_value(json, "add_prefix_space", options.add_prefix_space, where);
  }

  static void lower_case(BytePairOptions& options) { options.lowercase = true; }
};

}  // namespace knnbert::inline v0_1::detail
