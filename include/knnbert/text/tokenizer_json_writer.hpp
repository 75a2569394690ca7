#pragma once
#include "knnbert/text/tokenizer_writer_parts.hpp"
#include "knnbert/text/wordpiece_options.hpp"

/// A WordPiece tokenizer in the words of tokenizer.json and tokenizer_config.json.
namespace knnbert::inline v0_1::detail {

inline OrderedJson accents_json(const NormalizerOptions& options) {
  return options.strip_accents ? OrderedJson(*options.strip_accents) : OrderedJson();
}

inline OrderedJson model_json(const Vocabulary& vocabulary, const WordPieceOptions& options) {
  return {{"type", "WordPiece"},
          {"unk_token", options.unknown_token},
          {"continuing_subword_prefix", options.prefix},
          {"max_input_chars_per_word", options.max_characters_per_word},
          {"vocab", vocabulary_json(vocabulary)}};
}

/// Content of tokenizer.json.
inline OrderedJson tokenizer_json(const Vocabulary& vocabulary, const WordPieceOptions& options,
                                  const SpecialTokens& special) {
  const auto& normalizer = options.normalizer;
  return {{"version", "1.0"},
          {"truncation", truncation_json(options.suggested.truncation)},
          {"padding", nullptr},
          {"added_tokens", added_tokens_json(options.added_tokens)},
          {"normalizer",
           {{"type", "BertNormalizer"},
            {"clean_text", normalizer.clean_text},
            {"handle_chinese_chars", normalizer.chinese_characters},
            {"strip_accents", accents_json(normalizer)},
            {"lowercase", normalizer.lowercase}}},
          {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
          {"post_processor", template_json(options, special, true)},
          {"decoder", {{"type", "WordPiece"}, {"prefix", options.prefix}, {"cleanup", true}}},
          {"model", model_json(vocabulary, options)}};
}

/// Content of tokenizer_config.json. The class BertTokenizer has prefix, word length and cleaning of its own.
inline OrderedJson tokenizer_config_json(const WordPieceOptions& options, const SpecialTokens& special) {
  const WordPieceOptions usual;
  const bool is_usual = options.prefix == usual.prefix && options.normalizer.clean_text &&
                        options.max_characters_per_word == usual.max_characters_per_word;
  OrderedJson json{{"tokenizer_class", is_usual ? "BertTokenizer" : "PreTrainedTokenizerFast"},
                   {"do_lower_case", options.normalizer.lowercase},
                   {"strip_accents", accents_json(options.normalizer)},
                   {"tokenize_chinese_chars", options.normalizer.chinese_characters}};
  add_names_and_tokens(options, special, json);
  return json;
}

}  // namespace knnbert::inline v0_1::detail
