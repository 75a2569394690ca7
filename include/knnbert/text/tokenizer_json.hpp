#pragma once
#include "knnbert/text/tokenizer_parts.hpp"
#include "knnbert/text/wordpiece_options.hpp"

/// The WordPiece tokenizers that tokenizer.json can describe.
namespace knnbert::inline v0_1 {

namespace detail {

/// A part of tokenizer.json, of a Sequence with that list the only thing in it.
inline const Json& only_part(const Json& json, const char* name, const char* list, const std::string& where) {
  const auto& part = json_part(json, name, where);
  if (!part.is_object() || part.value("type", Json()) != "Sequence") return part;
  const std::string within = format("{}: {}", where, name);
  const auto& parts = json_part(part, list, within);
  return parts.is_array() && parts.size() == 1 ? parts[0] : part;
}

inline NormalizerOptions normalizer_from_json(const Json& json, const std::string& where) {
  if (json.is_null())
    return {.clean_text = false, .chinese_characters = false, .strip_accents = false, .lowercase = false};
  require_type(json, "BertNormalizer", where);
  NormalizerOptions options{.clean_text = optional_value(json, "clean_text", true, where),
                            .chinese_characters = optional_value(json, "handle_chinese_chars", true, where),
                            .strip_accents = {},
                            .lowercase = optional_value(json, "lowercase", true, where)};
  if (json.contains("strip_accents") && !json["strip_accents"].is_null())
    options.strip_accents = require<bool>(json, "strip_accents", where);
  return options;
}

/// Names of [CLS] and [SEP] from a post-processor that puts them as BERT does; no other one is known.
inline void read_post_processor(const Json& json, TokenizerDescription<WordPieceOptions>& description,
                                const std::string& where) {
  const auto type = require<std::string>(json, "type", where);
  const auto tail = [](const std::string& sep) { return format("text B:1 token {}:1 ", sep); };
  if (type == "BertProcessing") read_named_processing(json, description, where);
  else if (type == "TemplateProcessing")
    read_template_processing(json, description, tail, "[CLS] A [SEP] and [CLS] A [SEP] B [SEP]", where);
  else raise<FormatError>("{}: type '{}' given, TemplateProcessing or BertProcessing expected", where, type);
}

inline void read_model(const Json& json, index_t file_bytes, TokenizerDescription<WordPieceOptions>& description,
                       const std::string& where) {
  const auto type = optional_value<std::string>(json, "type", "WordPiece", where);
  if (type != "WordPiece") raise<FormatError>("{}: type '{}' given, WordPiece expected", where, type);
  auto& options = description.options;
  options.unknown_token = optional_value(json, "unk_token", options.unknown_token, where);
  options.prefix = optional_value(json, "continuing_subword_prefix", options.prefix, where);
  options.max_characters_per_word =
      optional_value(json, "max_input_chars_per_word", options.max_characters_per_word, where);
  description.tokens = tokens_from_json(json_part(json, "vocab", where), file_bytes, where + ": vocab");
}

}  // namespace detail

/// Adds what a tokenizer.json says to a description. Its padding is ignored, its truncation only noted.
/// Errors: IoError; FormatError, also for anything but BERT's WordPiece.
inline void read_tokenizer_json(const std::filesystem::path& path,
                                TokenizerDescription<WordPieceOptions>& description) {
  const auto where = path.string();
  const auto [json, bytes] = detail::parse_tokenizer_json(path);
  auto& options = description.options;
  detail::read_model(detail::json_part(json, "model", where), bytes, description, where + ": model");
  options.normalizer =
      detail::normalizer_from_json(detail::only_part(json, "normalizer", "normalizers", where), where + ": normalizer");
  detail::require_type(detail::only_part(json, "pre_tokenizer", "pretokenizers", where), "BertPreTokenizer",
                       where + ": pre_tokenizer");
  detail::read_additions(json, options, where);
  detail::read_post_processor(detail::json_part(json, "post_processor", where), description,
                              where + ": post_processor");
}

}  // namespace knnbert::inline v0_1
