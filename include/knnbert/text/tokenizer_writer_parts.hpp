#pragma once
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "knnbert/io/json.hpp"
#include "knnbert/text/added_tokens.hpp"
#include "knnbert/text/concept.hpp"
#include "knnbert/text/vocabulary.hpp"

/// What the writers of tokenizer.json and tokenizer_config.json share.
namespace knnbert::inline v0_1::detail {

inline OrderedJson added_token_json(const AddedToken& token) {
  return {{"content", token.content},    {"single_word", token.single_word}, {"lstrip", token.strip_left},
          {"rstrip", token.strip_right}, {"normalized", token.normalized},   {"special", token.special}};
}

/// Ascending by id: where a vocabulary lacks them, tokenizers numbers them in the order of the list.
inline OrderedJson added_tokens_json(std::vector<AddedToken> tokens) {
  std::stable_sort(tokens.begin(), tokens.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  auto list = OrderedJson::array();
  for (const auto& token : tokens) {
    OrderedJson entry{{"id", token.id}};
    entry.update(added_token_json(token));
    list.push_back(entry);
  }
  return list;
}

/// Tokens and their ids.
inline OrderedJson vocabulary_json(const Vocabulary& vocabulary) {
  OrderedJson::object_t tokens;  // filled at its end: its own look-up is linear
  for (token_t id = 0; id < vocabulary.size(); ++id)
    if (const auto token = vocabulary.token(id); vocabulary.find(token) == id)
      tokens.emplace_back(std::string(token), id);
  return tokens;
}

inline OrderedJson truncation_json(index_t max_length) {
  if (max_length == 0) return {};
  return {{"direction", "Right"}, {"max_length", max_length}, {"strategy", "LongestFirst"}, {"stride", 0}};
}

/// The framing of texts and pairs: BERT's, of two segments, or RoBERTa's.
template <class Options>
OrderedJson template_json(const Options& options, const SpecialTokens& special, bool segments) {
  const auto piece = [](const char* kind, const std::string& id, int segment) {
    return OrderedJson{{kind, {{"id", id}, {"type_id", segment}}}};
  };
  const auto token = [](const std::string& name, token_t id) {
    return OrderedJson{{"id", name}, {"ids", {id}}, {"tokens", {name}}};
  };
  const auto &cls = options.classify_token, &sep = options.separate_token;
  const int second = segments ? 1 : 0;
  auto single =
      OrderedJson::array({piece("SpecialToken", cls, 0), piece("Sequence", "A", 0), piece("SpecialToken", sep, 0)});
  auto pair = single;
  if (!segments) pair.push_back(piece("SpecialToken", sep, 0));
  pair.push_back(piece("Sequence", "B", second));
  pair.push_back(piece("SpecialToken", sep, second));
  return {{"type", "TemplateProcessing"},
          {"single", std::move(single)},
          {"pair", std::move(pair)},
          {"special_tokens", {{cls, token(cls, special.classify)}, {sep, token(sep, special.separate)}}}};
}

/// What every tokenizer_config.json ends with: names of special tokens, added tokens, the longest text.
template <class Options>
void add_names_and_tokens(const Options& options, const SpecialTokens& special, OrderedJson& json) {
  const auto name = [](token_t id, const std::string& token) { return id < 0 ? OrderedJson() : OrderedJson(token); };
  json["unk_token"] = name(special.unknown, options.unknown_token);
  json["cls_token"] = options.classify_token;
  json["sep_token"] = options.separate_token;
  json["pad_token"] = name(special.pad, options.pad_token);
  json["mask_token"] = name(special.mask, options.mask_token);
  auto added = OrderedJson::object();
  for (const auto& token : options.added_tokens) added[std::to_string(token.id)] = added_token_json(token);
  json["added_tokens_decoder"] = std::move(added);
  if (options.suggested.model > 0) json["model_max_length"] = options.suggested.model;
}

}  // namespace knnbert::inline v0_1::detail
