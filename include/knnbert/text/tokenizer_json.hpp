#pragma once
#include <algorithm>

#include "knnbert/io/json.hpp"
#include "knnbert/text/wordpiece_options.hpp"

/// The WordPiece tokenizers that tokenizer.json can describe.
namespace knnbert::inline v0_1 {

/// What tokenizer files say.
struct TokenizerDescription {
  std::vector<std::string> tokens;  ///< by id, empty where an id is unused
  WordPieceOptions options;
  std::string file;  ///< that names the tokens, for messages
};

namespace detail {

inline void require_type(const Json& part, std::string_view type, const std::string& where) {
  const auto given = require<std::string>(part, "type", where);
  if (given != type) raise<FormatError>("{}: type '{}' given, {} expected", where, given, type);
}

inline const Json& json_part(const Json& json, std::string_view key, const std::string& where) {
  const auto found = json.find(std::string(key));
  if (found == json.end()) raise<FormatError>("{}: key '{}' is missing", where, key);
  return *found;
}

/// Tokens by id. Ids are bounded by the size of the file, which has at least five bytes for each.
inline std::vector<std::string> tokens_from_json(const Json& vocab, index_t file_bytes, const std::string& where) {
  if (!vocab.is_object()) raise<FormatError>("{}: an object of tokens and ids expected", where);
  std::vector<std::string> tokens;
  for (const auto& [token, value] : vocab.items()) {
    const auto id = json_as<std::size_t>(value, where);
    if (id >= static_cast<std::size_t>(file_bytes))
      raise<FormatError>("{}: token '{}' has id {}, which is out of range", where, token, id);
    if (id >= tokens.size()) tokens.resize(id + 1);
    if (!tokens[id].empty()) raise<FormatError>("{}: tokens '{}' and '{}' share id {}", where, tokens[id], token, id);
    tokens[id] = token;
  }
  return tokens;
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

inline AddedToken added_token_from_json(const Json& json, token_t id, const std::string& where) {
  const auto special = optional_value(json, "special", false, where);
  return {.content = require<std::string>(json, "content", where),
          .id = id,
          .special = special,
          .single_word = optional_value(json, "single_word", false, where),
          .strip_left = optional_value(json, "lstrip", false, where),
          .strip_right = optional_value(json, "rstrip", false, where),
          .normalized = optional_value(json, "normalized", !special, where)};
}

/// A text of a template as "name:segment", with A and B for the two texts.
inline std::string template_text(const Json& parts, const std::string& where) {
  std::string text;
  for (const auto& part : json_as<std::vector<Json>>(parts, where)) {
    if (!part.is_object() || part.size() != 1) raise<FormatError>("{}: an object with one key expected", where);
    const auto& kind = part.begin().key();
    const auto name = require<std::string>(part.front(), "id", where);
    text += kind == "Sequence" ? "text " : "token ";
    text += format("{}:{} ", name, require<int>(part.front(), "type_id", where));
  }
  return text;
}

/// Throws unless the id is that of the named token.
inline void require_own_id(const TokenizerDescription& description, const std::string& name, token_t id,
                           const std::string& where) {
  const auto& tokens = description.tokens;
  const auto& options = description.options;
  const auto is_own = [&](const AddedToken& token) { return token.id == id && token.content == name; };
  const bool is_known = id >= 0 && id < std::ssize(tokens) && tokens[static_cast<std::size_t>(id)] == name;
  if (!is_known && std::none_of(options.added_tokens.begin(), options.added_tokens.end(), is_own))
    raise<FormatError>("{}: token '{}' does not have id {}", where, name, id);
}

/// The older of the two post-processors: {"cls": ["[CLS]", 101], "sep": ["[SEP]", 102]}.
inline void read_bert_processing(const Json& json, TokenizerDescription& description, const std::string& where) {
  const auto name = [&](std::string_view key) {
    const auto token = require<std::vector<Json>>(json, key, where);
    if (token.size() != 2) raise<FormatError>("{}: {}: name and id of a token expected", where, key);
    const auto content = json_as<std::string>(token[0], where);
    require_own_id(description, content, json_as<token_t>(token[1], where), where);
    return content;
  };
  description.options.classify_token = name("cls");
  description.options.separate_token = name("sep");
}

inline void read_template_processing(const Json& json, TokenizerDescription& description, const std::string& where) {
  const auto single = require<std::vector<Json>>(json, "single", where);
  const auto known = require<Json>(json, "special_tokens", where);
  const auto name = [&](std::size_t place) {
    if (single.size() != 3) raise<FormatError>("{}: the template [CLS] A [SEP] expected", where);
    auto content = require<std::string>(require<Json>(single[place], "SpecialToken", where), "id", where);
    const auto ids = require<std::vector<token_t>>(require<Json>(known, content, where), "ids", where);
    if (ids.size() != 1) raise<FormatError>("{}: one id for '{}' expected", where, content);
    require_own_id(description, content, ids[0], where);
    return content;
  };
  const std::string cls = name(0), sep = name(2);
  const auto one = format("token {}:0 text A:0 token {}:0 ", cls, sep);
  if (template_text(json_part(json, "single", where), where) != one ||
      template_text(json_part(json, "pair", where), where) != one + format("text B:1 token {}:1 ", sep))
    raise<FormatError>("{}: the templates [CLS] A [SEP] and [CLS] A [SEP] B [SEP] expected", where);
  description.options.classify_token = cls;
  description.options.separate_token = sep;
}

/// Names of [CLS] and [SEP] from a post-processor that puts them as BERT does; no other one is known.
inline void read_post_processor(const Json& json, TokenizerDescription& description, const std::string& where) {
  const auto type = require<std::string>(json, "type", where);
  if (type == "BertProcessing") read_bert_processing(json, description, where);
  else if (type == "TemplateProcessing") read_template_processing(json, description, where);
  else raise<FormatError>("{}: type '{}' given, TemplateProcessing or BertProcessing expected", where, type);
}

inline void read_model(const Json& json, index_t file_bytes, TokenizerDescription& description,
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
inline void read_tokenizer_json(const std::filesystem::path& path, TokenizerDescription& description) {
  const auto where = path.string();
  const auto text = read_text(path);
  refuse_placeholder(text, where);
  const Json json = parse_json(text, where);
  if (!json.is_object()) raise<FormatError>("{}: an object expected", where);
  auto& options = description.options;
  detail::read_model(detail::json_part(json, "model", where), std::ssize(text), description, where + ": model");
  options.normalizer =
      detail::normalizer_from_json(detail::json_part(json, "normalizer", where), where + ": normalizer");
  detail::require_type(detail::json_part(json, "pre_tokenizer", where), "BertPreTokenizer", where + ": pre_tokenizer");
  for (const auto& token : optional_value<std::vector<Json>>(json, "added_tokens", {}, where))
    options.added_tokens.push_back(
        detail::added_token_from_json(token, require<token_t>(token, "id", where), where + ": added_tokens"));
  detail::read_post_processor(detail::json_part(json, "post_processor", where), description,
                              where + ": post_processor");
  if (const auto truncation = optional_value<Json>(json, "truncation", Json::object(), where); !truncation.empty())
    options.suggested.truncation = require<index_t>(truncation, "max_length", where + ": truncation");
}

}  // namespace knnbert::inline v0_1
