#pragma once
#include "encoder/family.hpp"
#include "io/temporary_folder.hpp"
#include "kernel/values.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/model/classifier.hpp"
#include "knnbert/model/classifier_files.hpp"
#include "nn/directional.hpp"

namespace knnbert_test {

using namespace knnbert;

/// A small encoder with all kinds of dropout.
inline BertConfig tiny_config() {
  return {.vocab_size = 40,
          .hidden_size = 20,
          .num_hidden_layers = 1,
          .num_attention_heads = 2,
          .intermediate_size = 37,
          .max_position_embeddings = 16};
}

inline BertConfig tiny_distilbert_config() { return in_family(tiny_config(), distilbert_family); }
inline BertConfig tiny_roberta_config() { return in_family(tiny_config(), roberta_family); }

/// Writes a small vocab.json and merges.txt.
inline void write_byte_pairs(const std::filesystem::path& folder) {
  const std::string_view letters = "abcdefghiklmnoprstuwxy?";
  OrderedJson vocabulary{{"<s>", 0}, {"<pad>", 1}, {"</s>", 2}, {"<unk>", 3}, {"<mask>", 4}, {"\u0120", 5}};
  for (const char letter : letters) vocabulary[std::string(1, letter)] = vocabulary.size();
  std::string merges = "#version: 0.2\n";
  for (const auto& [left, right] : std::initializer_list<std::pair<std::string, std::string>>{
           {"c", "a"}, {"r", "d"}, {"ca", "rd"}, {"\u0120", "card"}, {"e", "n"}, {"o", "n"}, {"i", "s"}, {"a", "t"}}) {
    vocabulary[left + right] = vocabulary.size();
    merges += left + " " + right + "\n";
  }
  write_json(folder / "vocab.json", vocabulary);
  std::ofstream(folder / "merges.txt") << merges;
}

/// Writes the directory of an untrained encoder: config.json, model.safetensors, vocab.txt or, of a RoBERTa,
/// vocab.json and merges.txt.
inline void write_encoder(const std::filesystem::path& folder, std::uint64_t seed = 1,
                          const BertConfig& config = tiny_config()) {
  ParameterTable table;
  BertLayers layers = BertLayers::declare_dense(config, table);
  layers.declare_lookup(config, table);
  ParameterBlock values(std::make_shared<const ParameterTable>(std::move(table)));
  fill_random(values, seed, 0.3);
  std::filesystem::create_directories(folder);
  SafeTensorsWriter file;
  add_bert_tensors(layers, values, "", file, *config.family);
  file.write(folder / "model.safetensors");
  write_bert_config(folder, config);
  if (config.family == &roberta_family) return write_byte_pairs(folder);
  std::string words = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (const char* word : {"my",       "the",    "is",    "where",    "new",    "card",  "lost", "stolen", "block",
                           "pin",      "money",  "send",  "transfer", "abroad", "cash",  "rate", "euro",   "dollar",
                           "exchange", "change", "hello", "a",        "##s",    "##ing", "?"})
    words += std::string(word) + "\n";
  std::ofstream(folder / "vocab.txt") << words;
}

/// 40 texts of three classes; `repeat` makes more of the same.
inline Dataset tiny_data(index_t size = 40, std::uint64_t seed = 3) {
  const std::vector<std::vector<std::string>> words{{"card", "lost", "stolen", "block", "pin"},
                                                    {"money", "send", "transfer", "abroad", "cash"},
                                                    {"rate", "euro", "dollar", "exchange", "change"}};
  const std::vector<std::string> others{"my", "the", "is", "where", "new", "hello", "a", "?"};
  const Rng rng(seed, Stream::sample);
  std::vector<Example> examples;
  for (index_t i = 0; i < size; ++i) {
    const Rng own = rng.fork(static_cast<std::uint64_t>(i));
    const auto label = static_cast<label_t>(i % 3);
    std::string text;
    for (std::uint64_t w = 0; w < 2 + static_cast<std::uint64_t>(own.below(0, 5)); ++w) {
      const auto& list = w % 2 ? others : words[static_cast<std::size_t>(label)];
      text += list[static_cast<std::size_t>(own.below(w + 1, std::ssize(list)))] + " ";
    }
    examples.push_back({.text = text, .label = label});
  }
  return Dataset(std::move(examples), {"card", "money", "rate"});
}

inline const std::vector<std::string> tiny_classes{"card", "money", "rate"};
inline const std::vector<std::string> tiny_texts{
    "where is my new card?",
    "send money abroad",
    "euro rate",
    "",
    "unknown words only: zyx",
    "a lost card transferring cash the dollar exchange is new hello hello hello"};

inline ClassifierOptions tiny_options() { return {.projection_width = 12, .neighbors = 5, .max_length = 12}; }

/// Its head is random, but speaks as one that was trained.
inline Classifier<> tiny_classifier(const std::filesystem::path& folder,
                                    const ClassifierOptions& options = tiny_options()) {
  if (!std::filesystem::exists(folder / "encoder")) write_encoder(folder / "encoder");
  Classifier<> model(folder / "encoder", tiny_classes, options);
  model.set_head_trained(true);
  return model;
}

inline bool same(const Evidence& a, const Evidence& b) {
  return a.id == b.id && a.label == b.label && a.class_name == b.class_name && a.similarity == b.similarity &&
         a.text == b.text;
}
/// Equality of all bits that a caller sees.
inline bool same(const Prediction& a, const Prediction& b) {
  return a.label == b.label && a.class_name == b.class_name && a.probability == b.probability && a.knn == b.knn &&
         a.head == b.head && a.combined == b.combined &&
         std::equal(a.neighbors.begin(), a.neighbors.end(), b.neighbors.begin(), b.neighbors.end(),
                    [](const Evidence& x, const Evidence& y) { return same(x, y); });
}
inline bool same(const std::vector<Prediction>& a, const std::vector<Prediction>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Prediction& x, const Prediction& y) { return same(x, y); });
}

inline bool same_values(const ParameterBlock& a, const ParameterBlock& b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(float)) == 0;
}

inline double sum_of(const std::vector<float>& values) {
  double sum = 0;
  for (const float v : values) sum += v;
  return sum;
}

}  // namespace knnbert_test
