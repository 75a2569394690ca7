#pragma once
#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "knnbert/io/json.hpp"
#include "knnbert/text/added_tokens.hpp"

/// What the readers of tokenizer.json share. Options are those of a tokenizer: names of special tokens, added tokens,
/// suggested lengths.
namespace knnbert::inline v0_1 {

/// What tokenizer files say.
template <class Options>
struct TokenizerDescription {
  std::vector<std::string> tokens;  ///< by id, empty where an id is unused
  Options options;
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
    const std::string kind = part.begin().key();
    const auto name = require<std::string>(part.front(), "id", where);
    text += kind == "Sequence" ? "text " : "token ";
    text += format("{}:{} ", name, require<int>(part.front(), "type_id", where));
  }
  return text;
}

/// Throws unless the id is that of the named token.
template <class Options>
void require_own_id(const TokenizerDescription<Options>& description, const std::string& name, token_t id,
                    const std::string& where) {
  const auto& tokens = description.tokens;
  const auto& options = description.options;
  const auto is_own = [&](const AddedToken& token) { return token.id == id && token.content == name; };
  const bool is_known = id >= 0 && id < std::ssize(tokens) && tokens[static_cast<std::size_t>(id)] == name;
  if (!is_known && std::none_of(options.added_tokens.begin(), options.added_tokens.end(), is_own))
    raise<FormatError>("{}: token '{}' does not have id {}", where, name, id);
}

/// {"cls": ["[CLS]", 101], "sep": ["[SEP]", 102]}, of BertProcessing and RobertaProcessing.
template <class Options>
void read_named_processing(const Json& json, TokenizerDescription<Options>& description, const std::string& where) {
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

/// Names of the tokens that frame texts in TemplateProcessing. tail(separator) is what template_text has to give for
/// what a pair has behind the first text and its separator; `expected` says it to people.
template <class Options, class Tail>
void read_template_processing(const Json& json, TokenizerDescription<Options>& description, Tail tail,
                              std::string_view expected, const std::string& where) {
  const auto single = require<std::vector<Json>>(json, "single", where);
  const auto known = require<Json>(json, "special_tokens", where);
  const auto name = [&](std::size_t place) {
    if (single.size() != 3) raise<FormatError>("{}: the templates {} expected", where, expected);
    auto content = require<std::string>(require<Json>(single[place], "SpecialToken", where), "id", where);
    const auto ids = require<std::vector<token_t>>(require<Json>(known, content, where), "ids", where);
    if (ids.size() != 1) raise<FormatError>("{}: one id for '{}' expected", where, content);
    require_own_id(description, content, ids[0], where);
    return content;
  };
  const std::string cls = name(0), sep = name(2);
  const auto one = format("token {}:0 text A:0 token {}:0 ", cls, sep);
  if (template_text(json_part(json, "single", where), where) != one ||
      template_text(json_part(json, "pair", where), where) != one + tail(sep))
    raise<FormatError>("{}: the templates {} expected", where, expected);
  description.options.classify_token = cls;
  description.options.separate_token = sep;
}

/// The object that a tokenizer.json is, and its size in bytes.
inline std::pair<Json, index_t> parse_tokenizer_json(const std::filesystem::path& path) {
  const auto where = path.string();
  const auto text = read_text(path);
  refuse_placeholder(text, where);
  auto json = parse_json(text, where);
  if (!json.is_object()) raise<FormatError>("{}: an object expected", where);
  return {std::move(json), std::ssize(text)};
}

/// Refuses a setting under which texts would lose their beginning.  Errors: FormatError.
inline void require_right_side(const Json& json, std::string_view key, const std::string& where) {
  const auto side = optional_value<std::string>(json, key, "right", where);
  if (side != "right" && side != "Right")
    raise<FormatError>("{}: {}: {} given, right expected: texts are cut at their end", where, key, side);
}

/// Added tokens and truncation of a tokenizer.json.
template <class Options>
void read_additions(const Json& json, Options& options, const std::string& where) {
  for (const auto& token : optional_value<std::vector<Json>>(json, "added_tokens", {}, where))
    options.added_tokens.push_back(
        added_token_from_json(token, require<token_t>(token, "id", where), where + ": added_tokens"));
  if (const auto truncation = optional_value<Json>(json, "truncation", Json::object(), where); !truncation.empty()) {
    options.suggested.truncation = require<index_t>(truncation, "max_length", where + ": truncation");
    require_right_side(truncation, "direction", where + ": truncation");
  }
}

}  // namespace detail

}  // namespace knnbert::inline v0_1
