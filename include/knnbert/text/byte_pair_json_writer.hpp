#pragma once
#include <string>
#include <vector>

#include "knnbert/text/byte_pair_merges.hpp"
#include "knnbert/text/byte_pair_options.hpp"
#include "knnbert/text/tokenizer_writer_parts.hpp"

/// A byte-level BPE tokenizer in the words of tokenizer.json, tokenizer_config.json and merges.txt.
namespace knnbert::inline v0_1::detail {

inline OrderedJson model_json(const Vocabulary& vocabulary, const std::vector<BytePairMerges::Merge>& merges,
                              const BytePairOptions& options) {
  auto pairs = OrderedJson::array();
  for (const auto& merge : merges) pairs.push_back({vocabulary.token(merge.left), vocabulary.token(merge.right)});
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", options.missing_token ? OrderedJson(*options.missing_token) : OrderedJson()},
          {"continuing_subword_prefix", ""},
          {"end_of_word_suffix", ""},
          {"fuse_unk", options.fuse_missing},
          {"byte_fallback", false},
          {"ignore_merges", false},
          {"vocab", vocabulary_json(vocabulary)},
          {"merges", std::move(pairs)}};
}

/// Content of tokenizer.json.
inline OrderedJson tokenizer_json(const Vocabulary& vocabulary, const std::vector<BytePairMerges::Merge>& merges,
                                  const BytePairOptions& options, const SpecialTokens& special) {
  const auto byte_level = [&](bool use_regex) {
    return OrderedJson{{"type", "ByteLevel"},
                       {"add_prefix_space", options.add_prefix_space},
                       {"trim_offsets", true},
                       {"use_regex", use_regex}};
  };
  return {{"version", "1.0"},
          {"truncation", truncation_json(options.suggested.truncation)},
          {"padding", nullptr},
          {"added_tokens", added_tokens_json(options.added_tokens)},
          {"normalizer", options.lowercase ? OrderedJson{{"type", "Lowercase"}} : OrderedJson()},
          {"pre_tokenizer", byte_level(options.split_words)},
          {"post_processor",
           {{"type", "RobertaProcessing"},
            {"sep", OrderedJson::array({options.separate_token, special.separate})},
            {"cls", OrderedJson::array({options.classify_token, special.classify})},
            {"trim_offsets", true},
            {"add_prefix_space", options.add_prefix_space}}},
          {"decoder", byte_level(true)},
          {"model", model_json(vocabulary, merges, options)}};
}

/// Content of tokenizer_config.json. The class RobertaTokenizer has a pattern and a treatment of missing bytes of its
/// own.
inline OrderedJson tokenizer_config_json(const BytePairOptions& options, const SpecialTokens& special) {
  const bool is_usual = options.split_words && !options.lowercase && !options.missing_token;
  OrderedJson json{{"tokenizer_class", is_usual ? "RobertaTokenizer" : "PreTrainedTokenizerFast"},
                   {"add_prefix_space", options.add_prefix_space},
                   {"trim_offsets", true},
                   {"errors", "replace"},
                   {"bos_token", options.classify_token},
                   {"eos_token", options.separate_token}};
  add_names_and_tokens(options, special, json);
  return json;
}

/// Content of merges.txt.
inline std::string merge_lines(const Vocabulary& vocabulary, const std::vector<BytePairMerges::Merge>& merges) {
  std::string lines = "#version: 0.2\n";
  for (const auto& merge : merges)
    ((lines += vocabulary.token(merge.left)) += ' ').append(vocabulary.token(merge.right)) += '\n';
  return lines;
}

/// Whether merges.txt can hold the merges: a line each, its tokens without blanks.
inline bool fits_merge_lines(const Vocabulary& vocabulary, const std::vector<BytePairMerges::Merge>& merges) {
  const auto is_plain = [&](token_t id) {
    return vocabulary.token(id).find_first_of(" \r\n") == std::string_view::npos;
  };
  for (const auto& merge : merges)
    if (!is_plain(merge.left) || !is_plain(merge.right) || vocabulary.token(merge.left).starts_with("#version"))
      return false;
  return true;
}

}  // namespace knnbert::inline v0_1::detail
