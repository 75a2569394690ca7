#pragma once
#include <string>
#include <unordered_set>
#include <utility>

#include "knnbert/text/byte_pair_json.hpp"
#include "knnbert/text/tokenizer_directory.hpp"

/// Byte-level BPE tokenizers in Hugging Face directories.
namespace knnbert::inline v0_1::detail {

struct BytePairFormat {
  using Description = BytePairDescription;
  static constexpr const char* vocabulary_files = "vocab.json and merges.txt";
  static constexpr std::string_view classes[] = {"RobertaTokenizer", "LongformerTokenizer", "BartTokenizer",
                                                 "LEDTokenizer"};  // one algorithm

  static void read_tokenizer_json(const std::filesystem::path& path, Description& description) {
    knnbert::read_tokenizer_json(path, description);
  }

  static bool read_vocabulary(const std::filesystem::path& directory, const Json& config, Description& description) {
    const auto vocabulary = directory / "vocab.json", merges = directory / "merges.txt";
    if (!committed_exists(vocabulary) || !committed_exists(merges)) return false;
    require_class(directory, config, classes, "RobertaTokenizer");
    description.file = vocabulary.string() + ", merges.txt";
    const auto [json, bytes] = parse_tokenizer_json(vocabulary);
    description.tokens = tokens_from_json(json, bytes, vocabulary.string());
    const auto text = read_text(merges, {.strict_utf8 = true});
    refuse_placeholder(text, merges.string());
    std::unordered_set<std::string> made;  // tokens with that end
    for (LineReader reader(text); reader.next();) {
      const auto line = without_carriage_return(reader.line());
      if (line.empty()) continue;
      const auto where = format("{}:{}", merges.string(), reader.number());
      const auto before = description.merges.size();
      add_merge(std::string(line), description, where);
      if (description.merges.size() > before) require_byte_level(description.merges.back(), made, where);
    }
    return true;
  }

  /// Refuses merges of characters that carry the end of a word, which no merge of bytes makes.
  static void require_byte_level(const std::pair<std::string, std::string>& merge,
                                 std::unordered_set<std::string>& made, const std::string& where) {
    if (merge.second.ends_with("</w>") && !made.contains(merge.second))
      raise<FormatError>("{}: merge with '{}' given, byte-level BPE without </w> expected", where, merge.second);
    if (auto token = merge.first + merge.second; token.ends_with("</w>")) made.insert(std::move(token));
  }

  static void read_settings(const Json& json, BytePairOptions& options, const std::string& where) {
    if (!is_general_class(json, where))
      options.add_prefix_space = optional_value(json, "add_prefix_space", options.add_prefix_space, where);
  }

  static void lower_case(BytePairOptions& options) { options.lowercase = true; }
};

}  // namespace knnbert::inline v0_1::detail
