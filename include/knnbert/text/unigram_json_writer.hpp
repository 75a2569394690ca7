#pragma once
#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "knnbert/io/base64.hpp"
#include "knnbert/text/tokenizer_writer_parts.hpp"
#include "knnbert/text/unigram_options.hpp"

/// A unigram tokenizer in the words of tokenizer.json and tokenizer_config.json.
namespace knnbert::inline v0_1::detail {

/// What a table of pairs calls a value.
template <class Names, class Value>
std::string_view name_of_step(const Names& names, Value value) {
  return std::find_if(std::begin(names), std::end(names), [&](const auto& entry) { return entry.second == value; })
      ->first;
}

inline OrderedJson pattern_json(const std::string& text, bool regex) { return {{regex ? "Regex" : "String", text}}; }

inline OrderedJson step_json(const NormalizationStep& step) {
  OrderedJson json{{"type", name_of_step(normalization_names, step.kind)}};
  if (step.kind == NormalizationStep::strip) {
    json["strip_left"] = step.left;
    json["strip_right"] = step.right;
  } else if (step.kind == NormalizationStep::replace) {
    json["pattern"] = pattern_json(step.pattern, step.regex);
    json["content"] = step.content;
  } else if (step.kind == NormalizationStep::precompiled) {
    json["precompiled_charsmap"] = to_base64(step.content);
  }
  return json;
}

inline OrderedJson metaspace_json(const SplittingStep& step) {
  constexpr const char* schemes[] = {"always", "first", "never"};
  return {{"type", "Metaspace"},
          {"replacement", step.text},
          {"prepend_scheme", schemes[step.prefix]},
          {"split", step.split}};
}

inline OrderedJson step_json(const SplittingStep& step) {
  switch (step.kind) {
    case SplittingStep::metaspace: break;
    case SplittingStep::white_space: return {{"type", "WhitespaceSplit"}};
    case SplittingStep::words: return {{"type", "Whitespace"}};
    case SplittingStep::punctuation: return {{"type", "Punctuation"}, {"behavior", "Isolated"}};
    case SplittingStep::pattern:
      return {{"type", "Split"},
              {"pattern", pattern_json(step.text, step.regex)},
              {"behavior", name_of_step(behavior_names, step.behavior)},
              {"invert", false}};
  }
  return metaspace_json(step);
}

/// Steps as one part, null for none.
template <class Step>
OrderedJson steps_json(const std::vector<Step>& steps, const char* list) {
  if (steps.empty()) return {};
  if (steps.size() == 1) return step_json(steps[0]);
  auto parts = OrderedJson::array();
  for (const auto& step : steps) parts.push_back(step_json(step));
  return {{"type", "Sequence"}, {list, std::move(parts)}};
}

inline OrderedJson model_json(const Vocabulary& vocabulary, const std::vector<double>& scores,
                              const UnigramOptions& options) {
  auto pieces = OrderedJson::array();
  for (token_t id = 0; id < vocabulary.size(); ++id)
    pieces.push_back({vocabulary.token(id), scores[static_cast<std::size_t>(id)]});
  return {{"type", "Unigram"},
          {"unk_id", *vocabulary.find(options.unknown_token)},
          {"vocab", std::move(pieces)},
          {"byte_fallback", options.byte_fallback}};
}

/// Content of tokenizer.json.
inline OrderedJson tokenizer_json(const Vocabulary& vocabulary, const std::vector<double>& scores,
                                  const UnigramOptions& options, const SpecialTokens& special) {
  const auto& steps = options.pre_tokenizer;
  const auto mark =
      std::find_if(steps.begin(), steps.end(), [](const auto& step) { return step.kind == SplittingStep::metaspace; });
  return {{"version", "1.0"},
          {"truncation", truncation_json(options.suggested.truncation)},
          {"padding", nullptr},
          {"added_tokens", added_tokens_json(options.added_tokens)},
          {"normalizer", steps_json(options.normalizer, "normalizers")},
          {"pre_tokenizer", steps_json(options.pre_tokenizer, "pretokenizers")},
          {"post_processor", template_json(options, special, options.segments)},
          {"decoder", mark == steps.end() ? OrderedJson() : metaspace_json(*mark)},
          {"model", model_json(vocabulary, scores, options)}};
}

/// Content of tokenizer_config.json. The classes of single models have normalizers and pre-tokenizers of their own.
inline OrderedJson tokenizer_config_json(const UnigramOptions& options, const SpecialTokens& special) {
  OrderedJson json{{"tokenizer_class", "PreTrainedTokenizerFast"},
                   {"bos_token", options.classify_token},
                   {"eos_token", options.separate_token}};
  add_names_and_tokens(options, special, json);
  return json;
}

}  // namespace knnbert::inline v0_1::detail
