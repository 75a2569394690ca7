#pragma once
#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>
#include <span>
#include <unordered_map>

#include "knnbert/io/json.hpp"
#include "knnbert/io/require_folder.hpp"
#include "knnbert/text/tokenizer_parts.hpp"

/// Tokenizers in Hugging Face directories, of whatever sort.
namespace knnbert::inline v0_1::detail {

/// The JSON value of a file that is no pipe, on which a reader would wait.  Errors: IoError, FormatError.
inline Json read_regular_json(const std::filesystem::path& path) {
  struct stat status;
  open_regular(path, status);
  return read_json(path);
}

/// The object of a JSON file, empty if there is no file.
inline Json read_object_if_exists(const std::filesystem::path& path) {
  if (!committed_exists(path)) return Json::object();
  auto json = read_regular_json(path);
  if (!json.is_object()) raise<FormatError>("{}: an object expected", path.string());
  return json;
}

/// Names of special tokens; each is a string or an added token with flags.
template <class Options>
void read_names(const Json& json, Options& options, std::vector<AddedToken>& flagged, const std::string& where) {
  for (const auto& [key, name] :
       std::initializer_list<std::pair<const char*, std::string*>>{{"unk_token", &options.unknown_token},
                                                                   {"cls_token", &options.classify_token},
                                                                   {"sep_token", &options.separate_token},
                                                                   {"pad_token", &options.pad_token},
                                                                   {"mask_token", &options.mask_token}}) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null()) continue;
    if (!found->is_object()) {
      *name = require<std::string>(json, key, where);
      continue;
    }
    flagged.push_back(added_token_from_json(*found, -1, where));
    flagged.back().special = true;
    *name = flagged.back().content;
  }
}

/// What tokenizer_config.json calls the longest text that the model was made for; 0 for no limit.
/// Errors: FormatError unless it is a whole number of at least 3.
inline index_t model_length(const Json& config, const std::string& where) {
  constexpr double longest = 1 << 30;  // files write 1e30 where there is no limit
  const auto length = optional_value<Json>(config, "model_max_length", nullptr, where);
  if (length.is_null()) return 0;
  const double value = length.is_number() ? length.get<double>() : 0;
  if (!(value >= longest || (value >= 3 && value == std::floor(value))))
    raise<FormatError>("{}: model_max_length: {} given, a whole number of at least 3 expected", where, length.dump());
  return value < longest ? static_cast<index_t>(value) : 0;
}

/// Whether the class of a tokenizer_config.json leaves normalizer and pre-tokenizer to tokenizer.json.
inline bool is_general_class(const Json& config, const std::string& where) {
  const auto type = optional_value<std::string>(config, "tokenizer_class", "", where);
  return type == "PreTrainedTokenizerFast" || type == "TokenizersBackend";
}

/// What sentence-transformers reads of the encoder itself: the first file there of the names that its versions gave it.
inline std::optional<std::filesystem::path> sentence_transformer_file(const std::filesystem::path& directory) {
  for (const char* name : {"bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"})
    if (auto path = directory / format("sentence_{}_config.json", name); committed_exists(path)) return path;
  return std::nullopt;
}

/// Whether sentence-transformers' files ask for texts in lower case.
inline bool wants_lowercase(const std::filesystem::path& directory) {
  const auto path = sentence_transformer_file(directory);
  return path && committed_exists(directory / "modules.json") &&
         optional_value(read_regular_json(*path), "do_lower_case", false, path->string());
}

/// Refuses the files of a vocabulary that another algorithm reads. Without tokenizer.json it is told by the class that
/// tokenizer_config.json names, else config.json, and by the kinds that one class chooses among.  Errors: FormatError.
inline void require_class(const std::filesystem::path& directory, const Json& config,
                          std::span<const std::string_view> classes, const char* expected) {
  const auto own = (directory / "tokenizer_config.json").string(), other = (directory / "config.json").string();
  auto where = own, name = optional_value<std::string>(config, "tokenizer_class", "", own);
  if (name.empty())
    where = other, name = optional_value<std::string>(read_object_if_exists(other), "tokenizer_class", "", other);
  const auto plain = std::string_view(name).substr(0, name.size() - (name.ends_with("Fast") ? 4 : 0));
  if (!name.empty() && std::find(classes.begin(), classes.end(), plain) == classes.end())
    raise<FormatError>("{}: tokenizer_class: {} given, {} expected where no tokenizer.json is", where, name, expected);
  for (const auto& [key, usual] : {std::pair("word_tokenizer_type", "basic"), {"subword_tokenizer_type", "wordpiece"}})
    if (const auto kind = optional_value<std::string>(config, key, usual, own); kind != usual)
      raise<FormatError>("{}: {}: {} given, {} expected where no tokenizer.json is", own, key, kind, usual);
}

/// Added tokens beside tokenizer.json, which wins: in the configuration or, older, in a file of their own.
template <class Options>
void read_added_tokens(const std::filesystem::path& directory, const Json& config,
                       const std::vector<AddedToken>& special, TokenizerDescription<Options>& description) {
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
  for (const auto& item : legacy.items()) {
    const auto is_same = [&](const AddedToken& other) { return other.content == item.key(); };
    const bool is_special = std::any_of(special.begin(), special.end(), is_same);
    add({.content = item.key(),
         .id = json_as<token_t>(item.value(), format("{}: '{}'", path.string(), item.key())),
         .special = is_special,
         .normalized = !is_special});
  }
}

/// Special tokens whose names come with flags, unless they are known as added tokens.
template <class Options>
void add_flagged(std::vector<AddedToken> flagged, TokenizerDescription<Options>& description) {
  auto& [tokens, options, file] = description;
  for (auto token = flagged.rbegin(); token != flagged.rend(); ++token) {
    const auto place = std::find(tokens.begin(), tokens.end(), token->content);
    const auto is_same = [&](const AddedToken& other) { return other.content == token->content; };
    if (place == tokens.end() || std::any_of(options.added_tokens.begin(), options.added_tokens.end(), is_same))
      continue;
    token->id = static_cast<token_t>(place - tokens.begin());
    options.added_tokens.push_back(std::move(*token));
  }
}

/// The tokens that a configuration calls special beside the usual ones, under the key of any version: a list, or an
/// object of names.
inline std::vector<AddedToken> more_special_tokens(const Json& config, const std::string& where) {
  std::vector<AddedToken> tokens;
  for (const char* key : {"extra_special_tokens", "additional_special_tokens"}) {
    const auto list = optional_value<Json>(config, key, Json::array(), where);
    if (!list.is_array() && !list.is_object()) raise<FormatError>("{}: {}: a list of tokens expected", where, key);
    for (const auto& token : list) {
      if (token.is_object()) tokens.push_back(added_token_from_json(token, -1, format("{}: {}", where, key)));
      else tokens.push_back({.content = json_as<std::string>(token, format("{}: {}", where, key))});
      tokens.back().special = true;
    }
    if (!tokens.empty()) break;
  }
  return tokens;
}

/// Gives those tokens the id that the vocabulary has for them, else, as tokenizers does, the next one.
/// Errors: FormatError where that one depends on a token that is missing, too.
template <class Options>
void add_special(const std::vector<AddedToken>& special, TokenizerDescription<Options>& description,
                 const std::string& where) {
  auto& [tokens, options, file] = description;
  auto& added = options.added_tokens;
  if (special.empty()) return;
  std::unordered_map<std::string_view, std::size_t> ids;
  for (std::size_t id = 0; id < tokens.size(); ++id)
    if (!tokens[id].empty()) ids[tokens[id]] = id;
  const auto is_known = [&](const std::string& name) {
    const auto is_same = [&](const AddedToken& other) { return other.content == name; };
    return ids.contains(name) || std::any_of(added.begin(), added.end(), is_same);
  };
  for (AddedToken token : special) {
    if (const auto found = ids.find(token.content); found != ids.end()) {
      token.id = static_cast<token_t>(found->second);
      const auto is_same = [&](const AddedToken& other) { return other.content == token.content; };
      if (std::none_of(added.begin(), added.end(), is_same)) added.push_back(std::move(token));
      continue;
    }
    if (is_known(token.content)) continue;
    for (const auto& name : {options.pad_token, options.mask_token})
      if (!is_known(name))
        raise<FormatError>("{}: the tokens '{}' and '{}' given, which the vocabulary lacks, at most the first expected",
                           where, token.content, name);
    token.id = static_cast<token_t>(ids.size());
    for (const auto& other : added) token.id = std::max(token.id, other.id + 1);
    added.push_back(std::move(token));
  }
}

/// A Format names its Description and reads what is its own: tokenizer.json, the files without it (false: they are not
/// there), settings of tokenizer_config.json.
template <class Format>
typename Format::Description read_tokenizer(const std::filesystem::path& directory) {
  require_folder(directory, "a folder with a tokenizer");
  typename Format::Description description;
  auto& options = description.options;
  std::vector<AddedToken> flagged;
  const auto map_path = directory / "special_tokens_map.json", config_path = directory / "tokenizer_config.json";
  const auto config = read_object_if_exists(config_path), map = read_object_if_exists(map_path);
  read_names(map, options, flagged, map_path.string());
  read_names(config, options, flagged, config_path.string());
  const auto own_special = more_special_tokens(config, config_path.string());
  auto special = own_special;
  if (special.empty() && !config.contains("added_tokens_decoder"))
    special = more_special_tokens(map, map_path.string());
  if (const auto whole = directory / "tokenizer.json"; committed_exists(whole)) {
    description.file = whole.string();
    Format::read_tokenizer_json(whole, description);
  } else if (!Format::read_vocabulary(directory, config, description)) {
    raise<IoError>("{}: no tokenizer.json or {} there", directory.string(), Format::vocabulary_files);
  }
  read_added_tokens(directory, config, own_special, description);  // transformers' older map leaves flags alone
  add_flagged(std::move(flagged), description);
  add_special(special, description, config_path.string());
  options.suggested.model = model_length(config, config_path.string());
  require_right_side(config, "truncation_side", config_path.string());
  Format::read_settings(config, options, config_path.string());
  if (wants_lowercase(directory)) Format::lower_case(options);
  return description;
}

}  // namespace knnbert::inline v0_1::detail
