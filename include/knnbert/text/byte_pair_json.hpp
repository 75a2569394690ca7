#pragma once
#include <string>
#include <utility>
#include <vector>

#include "knnbert/text/byte_pair_options.hpp"
#include "knnbert/text/tokenizer_parts.hpp"

/// The byte-level BPE tokenizers that tokenizer.json can describe.
namespace knnbert::inline v0_1 {

/// What tokenizer files say.
struct BytePairDescription : TokenizerDescription<BytePairOptions> {
  std::vector<std::pair<std::string, std::string>> merges;
};

namespace detail {

/// Adds what "a b" names; a line with the version names nothing.
inline void add_merge(const std::string& line, BytePairDescription& description, const std::string& where) {
  if (line.starts_with("#version")) return;
  const auto blank = line.find(' ');
  if (blank == line.npos || line.find(' ', blank + 1) != line.npos)
    raise<FormatError>("{}: merge '{}' given, two tokens with a blank between them expected", where, line);
  description.merges.emplace_back(line.substr(0, blank), line.substr(blank + 1));
}

inline void read_merges(const Json& list, BytePairDescription& description, const std::string& where) {
  for (const auto& merge : json_as<std::vector<Json>>(list, where)) {
    if (merge.is_string()) {
      add_merge(json_as<std::string>(merge, where), description, where);
      continue;
    }
    auto pair = json_as<std::vector<std::string>>(merge, where);
    if (pair.size() != 2) raise<FormatError>("{}: {} tokens in a merge given, 2 expected", where, pair.size());
    description.merges.emplace_back(std::move(pair[0]), std::move(pair[1]));
  }
}

/// Refuses what this library does not compute.
template <class T>
void require_value(const Json& json, const char* key, const T& expected, const std::string& where) {
  const auto given = optional_value<T>(json, key, expected, where);
  if (given != expected)
    raise<FormatError>("{}: {}: {} given, {} or null expected", where, key, Json(given).dump(), Json(expected).dump());
}

inline void read_model(const Json& json, index_t file_bytes, BytePairDescription& description,
                       const std::string& where) {
  const auto type = optional_value<std::string>(json, "type", "BPE", where);
  if (type != "BPE") raise<FormatError>("{}: type '{}' given, BPE expected", where, type);
  require_value(json, "dropout", 0.0, where);
  require_value(json, "continuing_subword_prefix", std::string(), where);
  require_value(json, "end_of_word_suffix", std::string(), where);
  require_value(json, "byte_fallback", false, where);
  require_value(json, "ignore_merges", false, where);
  auto& options = description.options;
  options.fuse_missing = optional_value(json, "fuse_unk", false, where);
  if (const auto name = optional_value<Json>(json, "unk_token", {}, where); !name.is_null())
    options.missing_token = json_as<std::string>(name, where + ": unk_token");
  description.tokens = tokens_from_json(json_part(json, "vocab", where), file_bytes, where + ": vocab");
  read_merges(json_part(json, "merges", where), description, where + ": merges");
}

inline void read_pre_tokenizer(const Json& json, BytePairOptions& options, const std::string& where) {
  require_type(json, "ByteLevel", where);
  options.add_prefix_space = require<bool>(json, "add_prefix_space", where);
  options.split_words = optional_value(json, "use_regex", true, where);
}

/// Names of <s> and </s> from a post-processor that puts them as RoBERTa does; no other one is known.
inline void read_post_processor(const Json& json, BytePairDescription& description, const std::string& where) {
  const auto type = require<std::string>(json, "type", where);
  const auto tail = [](const std::string& sep) { return format("token {}:0 text B:0 token {}:0 ", sep, sep); };
  if (type == "RobertaProcessing") {
    read_named_processing(json, description, where);
  } else if (type == "TemplateProcessing") {
    read_template_processing(json, description, tail, "<s> A </s> and <s> A </s></s> B </s> of segment 0", where);
  } else if (type == "Sequence") {  // the part ByteLevel only moves offsets
    auto parts = require<std::vector<Json>>(json, "processors", where);
    std::erase_if(parts,
                  [](const Json& part) { return part.is_object() && part.value("type", Json()) == "ByteLevel"; });
    if (parts.size() != 1) raise<FormatError>("{}: one processor beside ByteLevel expected", where);
    read_post_processor(parts[0], description, where);
  } else {
    raise<FormatError>("{}: type '{}' given, RobertaProcessing or TemplateProcessing expected", where, type);
  }
}

}  // namespace detail

/// Adds what a tokenizer.json says to a description. Its padding is ignored, its truncation only noted.
/// Errors: IoError; FormatError, also for anything but byte-level BPE framed as RoBERTa does.
inline void read_tokenizer_json(const std::filesystem::path& path, BytePairDescription& description) {
  const auto where = path.string();
  const auto [json, bytes] = detail::parse_tokenizer_json(path);
  detail::read_model(detail::json_part(json, "model", where), bytes, description, where + ": model");
  if (const auto& normalizer = detail::json_part(json, "normalizer", where); !normalizer.is_null()) {
    detail::require_type(normalizer, "Lowercase", where + ": normalizer");
    description.options.lowercase = true;
  }
  detail::read_pre_tokenizer(detail::json_part(json, "pre_tokenizer", where), description.options,
                             where + ": pre_tokenizer");
  detail::read_additions(json, description.options, where);
  detail::read_post_processor(detail::json_part(json, "post_processor", where), description,
                              where + ": post_processor");
}

}  // namespace knnbert::inline v0_1
