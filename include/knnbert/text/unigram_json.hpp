#pragma once
#include <algorithm>
#include <iterator>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "knnbert/io/base64.hpp"
#include "knnbert/text/tokenizer_parts.hpp"
#include "knnbert/text/unigram_options.hpp"

/// The unigram tokenizers that tokenizer.json can describe.
namespace knnbert::inline v0_1 {

/// What tokenizer files say.
struct UnigramDescription : TokenizerDescription<UnigramOptions> {
  std::vector<double> scores;  ///< [tokens]
};

namespace detail {

/// Of equal pieces the last one counts: a special one must not have any other id.
inline void require_one_id(const UnigramDescription& description, const std::string& name, const std::string& where) {
  if (const auto count = std::count(description.tokens.begin(), description.tokens.end(), name); count > 1)
    raise<FormatError>("{}: piece '{}' has {} ids, one expected", where, name, count);
}

inline void read_model(const Json& json, UnigramDescription& description, const std::string& where) {
  require_type(json, "Unigram", where);
  const auto pieces = where + ": vocab";
  for (const auto& entry : require<std::vector<Json>>(json, "vocab", where)) {
    const auto entry_name = format("{}[{}]", pieces, description.tokens.size());
    const auto pair = json_as<std::vector<Json>>(entry, entry_name);
    if (pair.size() != 2)
      raise<FormatError>("{}: {} values given, a piece and its score expected", entry_name, pair.size());
    description.tokens.push_back(json_as<std::string>(pair[0], entry_name));
    description.scores.push_back(json_as<double>(pair[1], entry_name));
  }
  const auto unknown = require<std::size_t>(json, "unk_id", where);
  const auto& tokens = description.tokens;
  if (unknown >= tokens.size())
    raise<FormatError>("{}: unk_id: {} given, below the {} pieces expected", where, unknown, tokens.size());
  require_one_id(description, tokens[unknown], where + ": unk_id");
  description.options.unknown_token = tokens[unknown];
  description.options.byte_fallback = optional_value(json, "byte_fallback", false, where);
}

/// {"String": "..."} or {"Regex": "..."}: the text and whether it is a regular expression.
inline std::pair<std::string, bool> read_pattern(const Json& json, const std::string& where) {
  const auto& pattern = json_part(json, "pattern", where);
  const bool is_regex = pattern.is_object() && pattern.contains("Regex");
  return {require<std::string>(pattern, is_regex ? "Regex" : "String", where + ": pattern"), is_regex};
}

inline NormalizationStep read_normalization(const Json& json, const std::string& where) {
  const auto type = require<std::string>(json, "type", where);
  const auto named = std::find_if(std::begin(normalization_names), std::end(normalization_names),
                                  [&](const auto& entry) { return entry.first == type; });
  if (named == std::end(normalization_names))
    raise<FormatError>("{}: type '{}' given, which is not known", where, type);
  NormalizationStep step{.kind = named->second};
  if (step.kind == NormalizationStep::strip) {
    step.left = require<bool>(json, "strip_left", where);
    step.right = require<bool>(json, "strip_right", where);
  } else if (step.kind == NormalizationStep::replace) {
    std::tie(step.pattern, step.regex) = read_pattern(json, where);
    step.content = require<std::string>(json, "content", where);
  } else if (step.kind == NormalizationStep::precompiled) {
    auto map = from_base64(require<std::string>(json, "precompiled_charsmap", where));
    if (!map) raise<FormatError>("{}: precompiled_charsmap: base64 expected", where);
    step.content = std::move(*map);
  }
  return step;
}

inline SplittingStep read_metaspace(const Json& json, const std::string& where) {
  SplittingStep step{.text = optional_value(json, "replacement", SplittingStep().text, where),
                     .split = optional_value(json, "split", true, where)};
  const auto scheme = optional_value<std::string>(json, "prepend_scheme", "always", where);
  if (scheme == "first") step.prefix = SplittingStep::first;
  else if (scheme == "never") step.prefix = SplittingStep::never;
  else if (scheme != "always")
    raise<FormatError>("{}: prepend_scheme: '{}' given, always, first or never expected", where, scheme);
  if (!optional_value(json, "add_prefix_space", true, where)) step.prefix = SplittingStep::never;
  return step;
}

inline SplittingStep read_split(const Json& json, const std::string& where) {
  SplittingStep step{.kind = SplittingStep::pattern};
  std::tie(step.text, step.regex) = read_pattern(json, where);
  if (optional_value(json, "invert", false, where)) raise<FormatError>("{}: invert: true given, false expected", where);
  const auto behavior = require<std::string>(json, "behavior", where);
  const auto named = std::find_if(std::begin(behavior_names), std::end(behavior_names),
                                  [&](const auto& entry) { return entry.first == behavior; });
  if (named == std::end(behavior_names))
    raise<FormatError>("{}: behavior: '{}' given, which is not known", where, behavior);
  step.behavior = named->second;
  return step;
}

inline SplittingStep read_splitting(const Json& json, const std::string& where) {
  const auto type = require<std::string>(json, "type", where);
  if (type == "Metaspace") return read_metaspace(json, where);
  if (type == "WhitespaceSplit") return {.kind = SplittingStep::white_space};
  if (type == "Whitespace") return {.kind = SplittingStep::words};
  if (type == "Split") return read_split(json, where);
  if (type != "Punctuation") raise<FormatError>("{}: type '{}' given, which is not known", where, type);
  if (const auto behavior = optional_value<std::string>(json, "behavior", "Isolated", where); behavior != "Isolated")
    raise<FormatError>("{}: behavior: '{}' given, Isolated expected", where, behavior);
  return {.kind = SplittingStep::punctuation};
}

/// A part of tokenizer.json, null, or in a Sequence the list of that name.
template <class Read>
void read_steps(const Json& json, const char* list, Read&& read, const std::string& where) {
  if (json.is_null()) return;
  if (require<std::string>(json, "type", where) != "Sequence") return read(json, where);
  std::size_t place = 0;
  for (const auto& part : require<std::vector<Json>>(json, list, where))
    read_steps(part, list, read, format("{}[{}]", where, place++));
}

/// Names of the special tokens from a post-processor that puts them as XLM-R or BERT do; no other one is known.
inline void read_post_processor(const Json& json, UnigramDescription& description, const std::string& where) {
  const auto type = require<std::string>(json, "type", where);
  auto& segments = description.options.segments;
  segments = type == "BertProcessing";
  if (segments || type == "RobertaProcessing") return read_named_processing(json, description, where);
  if (type != "TemplateProcessing") raise<FormatError>("{}: type '{}' given, TemplateProcessing expected", where, type);
  segments = require<std::vector<Json>>(json, "pair", where).size() == 5;
  const auto tail = [&](const std::string& sep) {
    if (segments) return format("text B:1 token {}:1 ", sep);
    return format("token {}:0 text B:0 token {}:0 ", sep, sep);
  };
  read_template_processing(json, description, tail,
                           "<s> A </s> and <s> A </s></s> B </s> of segment 0 or [CLS] A [SEP] B [SEP]", where);
}

}  // namespace detail

/// Adds what a tokenizer.json says to a description. Its padding is ignored, its truncation only noted.
/// Errors: IoError; FormatError, also for anything but unigram models framed as XLM-R or BERT do.
inline void read_tokenizer_json(const std::filesystem::path& path, UnigramDescription& description) {
  const auto where = path.string();
  const auto json = detail::parse_tokenizer_json(path).first;
  auto& options = description.options;
  detail::read_model(detail::json_part(json, "model", where), description, where + ": model");
  const auto add_normalization = [&](const Json& part, const std::string& place) {
    options.normalizer.push_back(detail::read_normalization(part, place));
  };
  const auto add_splitting = [&](const Json& part, const std::string& place) {
    options.pre_tokenizer.push_back(detail::read_splitting(part, place));
  };
  options.pre_tokenizer.clear();
  detail::read_steps(detail::json_part(json, "normalizer", where), "normalizers", add_normalization,
                     where + ": normalizer");
  detail::read_steps(detail::json_part(json, "pre_tokenizer", where), "pretokenizers", add_splitting,
                     where + ": pre_tokenizer");
  detail::read_additions(json, options, where);
  const auto post_processor = where + ": post_processor";
  detail::read_post_processor(detail::json_part(json, "post_processor", where), description, post_processor);
  for (const auto& name : {options.classify_token, options.separate_token})
    detail::require_one_id(description, name, post_processor);
}

}  // namespace knnbert::inline v0_1
