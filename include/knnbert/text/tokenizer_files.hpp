#pragma once
#include <filesystem>

#include "knnbert/io/json.hpp"
#include "knnbert/io/require_folder.hpp"
#include "knnbert/text/tokenizer_json.hpp"
#include "knnbert/text/tokenizer_json_writer.hpp"
#include "knnbert/text/white_space.hpp"

/// Tokenizers in Hugging Face directories.
namespace knnbert::inline v0_1 {

namespace detail {

/// The object of a JSON file, empty if there is no file.
inline Json read_object_if_exists(const std::filesystem::path& path) {
  if (!committed_exists(path)) return Json::object();
  auto json = read_json(path);
  if (!json.is_object()) raise<FormatError>("{}: an object expected", path.string());
  return json;
}

/// Names of special tokens; each is a string or an added token with flags.
inline void read_names(const Json& json, WordPieceOptions& options, const std::string& where) {
  for (const auto& [key, name] :
       std::initializer_list<std::pair<const char*, std::string*>>{{"unk_token", &options.unknown_token},
                                                                   {"cls_token", &options.classify_token},
                                                                   {"sep_token", &options.separate_token},
                                                                   {"pad_token", &options.pad_token},
                                                                   {"mask_token", &options.mask_token}}) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null()) continue;
    *name =
        found->is_object() ? require<std::string>(*found, "content", where) : require<std::string>(json, key, where);
  }
}

/// What tokenizer_config.json says beside names. Classes without a normalizer of their own leave it to tokenizer.json.
inline void read_settings(const Json& json, WordPieceOptions& options, const std::string& where) {
  constexpr double longest = 1 << 30;  // files write 1e30 where there is no limit
  if (const auto length = json.find("model_max_length"); length != json.end() && length->is_number())
    if (const auto value = length->get<double>(); value >= 1 && value < longest)
      options.suggested.model = static_cast<index_t>(value);
  const auto type = optional_value<std::string>(json, "tokenizer_class", "", where);
  if (type == "PreTrainedTokenizerFast" || type == "TokenizersBackend") return;
  auto& normalizer = options.normalizer;
  normalizer.lowercase = optional_value(json, "do_lower_case", normalizer.lowercase, where);
  normalizer.chinese_characters = optional_value(json, "tokenize_chinese_chars", normalizer.chinese_characters, where);
  if (const auto accents = json.find("strip_accents"); accents != json.end()) {
    normalizer.strip_accents.reset();
    if (!accents->is_null()) normalizer.strip_accents = require<bool>(json, "strip_accents", where);
  }
}

/// sentence-transformers can lower the case of texts for a tokenizer that does not.
inline void read_sentence_case(const std::filesystem::path& directory, NormalizerOptions& normalizer) {
  const auto path = directory / "sentence_bert_config.json";
  if (!committed_exists(directory / "modules.json") || !committed_exists(path)) return;
  if (normalizer.lowercase || !optional_value(read_json(path), "do_lower_case", false, path.string())) return;
  normalizer.strip_accents = normalizer.strip_accents.value_or(false);
  normalizer.lowercase = true;
}

/// One token a line, without the white space at its end.
inline std::vector<std::string> read_vocabulary(const std::filesystem::path& path) {
  const auto text = read_text(path, {.strict_utf8 = true});
  refuse_placeholder(text, path.string());
  std::vector<std::string> tokens;
  for (LineReader reader(text); reader.next();)
    tokens.emplace_back(reader.line().substr(0, unicode::space_before(reader.line(), 0, reader.line().size())));
  return tokens;
}

/// Added tokens beside tokenizer.json, which wins: in the configuration or, older, in a file of their own.
inline void read_added_tokens(const std::filesystem::path& directory, const Json& config,
                              TokenizerDescription& description) {
  auto& added = description.options.added_tokens;
  const auto add = [&](AddedToken token) {
    const auto is_same = [&](const AddedToken& other) { return other.content == token.content; };
    if (std::none_of(added.begin(), added.end(), is_same)) added.push_back(std::move(token));
  };
  const auto where = (directory / "tokenizer_config.json").string() + ": added_tokens_decoder";
  const auto decoder = optional_value(config, "added_tokens_decoder", Json::object(), where);
  for (const auto& [key, token] : decoder.items()) {
    token_t id = -1;
    const auto end = std::from_chars(key.data(), key.data() + key.size(), id).ptr;
    if (id < 0 || end != key.data() + key.size())
      raise<FormatError>("{}: id '{}' given, a number expected", where, key);
    add(added_token_from_json(token, id, where));
  }
  if (!decoder.empty()) return;
  const auto path = directory / "added_tokens.json";
  const auto legacy = read_object_if_exists(path);
  for (const auto& [content, id] : legacy.items())
    add({.content = content,
         .id = json_as<token_t>(id, format("{}: '{}'", path.string(), content)),
         .special = false,
         .normalized = true});
}

inline TokenizerDescription read_tokenizer(const std::filesystem::path& directory) {
  require_folder(directory, "a folder with a tokenizer");
  TokenizerDescription description;
  auto& options = description.options;
  const auto map_path = directory / "special_tokens_map.json", config_path = directory / "tokenizer_config.json";
  const auto config = read_object_if_exists(config_path);
  read_names(read_object_if_exists(map_path), options, map_path.string());
  read_names(config, options, config_path.string());
  if (committed_exists(directory / "tokenizer.json")) {
    description.file = (directory / "tokenizer.json").string();
    read_tokenizer_json(directory / "tokenizer.json", description);
  } else if (committed_exists(directory / "vocab.txt")) {
    description.file = (directory / "vocab.txt").string();
    description.tokens = read_vocabulary(directory / "vocab.txt");
  } else {
    raise<IoError>("{}: no tokenizer.json or vocab.txt there", directory.string());
  }
  read_added_tokens(directory, config, description);
  read_settings(config, options, config_path.string());
  read_sentence_case(directory, options.normalizer);
  return description;
}

/// Whether vocab.txt can hold the tokens: it ends each at the line, without trailing white space.
inline bool fits_lines(const Vocabulary& vocabulary) {
  for (token_t id = 0; id < vocabulary.size(); ++id) {
    const auto token = vocabulary.token(id);
    if (token.find('\n') != token.npos || unicode::space_before(token, 0, token.size()) != token.size()) return false;
  }
  return true;
}

}  // namespace detail

}  // namespace knnbert::inline v0_1
