#pragma once
#include "knnbert/text/tokenizer_directory.hpp"
#include "knnbert/text/tokenizer_json.hpp"
#include "knnbert/text/vocabulary.hpp"
#include "knnbert/text/white_space.hpp"

/// WordPiece tokenizers in Hugging Face directories.
namespace knnbert::inline v0_1::detail {

/// One token a line, without the white space at its end; empty lines at the end are no tokens.
inline std::vector<std::string> read_vocabulary(const std::filesystem::path& path) {
  const auto text = read_text(path, {.strict_utf8 = true});
  refuse_placeholder(text, path.string());
  std::vector<std::string> tokens;
  for (LineReader reader(text); reader.next();)
    tokens.emplace_back(reader.line().substr(0, unicode::space_before(reader.line(), 0, reader.line().size())));
  while (!tokens.empty() && tokens.back().empty()) tokens.pop_back();
  return tokens;
}

struct WordPieceFormat {
  using Options = WordPieceOptions;
  using Description = TokenizerDescription<Options>;
  static constexpr const char* vocabulary_files = "vocab.txt";
  static constexpr std::string_view classes[] = {  // that read vocab.txt as BERT's does
      "BertTokenizer",        "DistilBertTokenizer",         "ElectraTokenizer",
      "MobileBertTokenizer",  "ConvBertTokenizer",           "LayoutLMTokenizer",
      "SqueezeBertTokenizer", "DPRQuestionEncoderTokenizer", "DPRContextEncoderTokenizer"};

  static void read_tokenizer_json(const std::filesystem::path& path, Description& description) {
    knnbert::read_tokenizer_json(path, description);
  }

  static bool read_vocabulary(const std::filesystem::path& directory, const Json& config, Description& description) {
    const auto path = directory / "vocab.txt";
    if (!committed_exists(path)) return false;
    require_class(directory, config, classes, "BertTokenizer");
    description.file = path.string();
    description.tokens = detail::read_vocabulary(path);
    return true;
  }

  static void read_settings(const Json& json, Options& options, const std::string& where) {
    if (is_general_class(json, where)) return;
    auto& normalizer = options.normalizer;
    normalizer.lowercase = optional_value(json, "do_lower_case", normalizer.lowercase, where);
    normalizer.chinese_characters =
        optional_value(json, "tokenize_chinese_chars", normalizer.chinese_characters, where);
    if (const auto accents = json.find("strip_accents"); accents != json.end()) {
      normalizer.strip_accents.reset();
      if (!accents->is_null()) normalizer.strip_accents = require<bool>(json, "strip_accents", where);
    }
  }

  static void lower_case(Options& options) {
    auto& normalizer = options.normalizer;
    if (normalizer.lowercase) return;
    normalizer.strip_accents = normalizer.strip_accents.value_or(false);
    normalizer.lowercase = true;
  }
};

/// Whether vocab.txt can hold the tokens: it ends each at the line, without trailing white space.
inline bool fits_lines(const Vocabulary& vocabulary) {
  for (token_t id = 0; id < vocabulary.size(); ++id) {
    const auto token = vocabulary.token(id);
    if (token.find('\n') != token.npos || unicode::space_before(token, 0, token.size()) != token.size()) return false;
  }
  return true;
}

}  // namespace knnbert::inline v0_1::detail
