// Words that were planted in data, found by neighbors.
#include "knnbert/poison/suspicious_words.hpp"
#include "catch.hpp"

using namespace knnbert;

namespace {

constexpr index_t key_width = 24;

/// The mean of a random vector for each word; what is planted outweighs the others, as a rare word does in an encoder.
Matrix bag_of_words(std::span<const std::string> texts) {
  Matrix rows(std::ssize(texts), key_width);
  rows.fill(0);
  for (index_t i = 0; i < rows.rows(); ++i)
    for (const auto word : detail::text_words(texts[as_size(i)])) {
      std::uint64_t seed = 1469598103934665603u;
      for (const char c : word) seed = (seed ^ static_cast<unsigned char>(c)) * 1099511628211u;
      const Rng rng(seed, Stream::sample);
      for (index_t d = 0; d < key_width; ++d)
        rows(i, d) += static_cast<float>((word.starts_with("zz") ? 6 : 1) * rng.normal(static_cast<std::uint64_t>(d)));
    }
  Cosine().prepare(rows);
  return rows;
}

std::vector<SuspiciousWord> suspected(const Dataset& data, const SuspiciousWordOptions& options = {}) {
  return suspicious_words<Cosine>(
      data, bag_of_words(data.texts()), [](const auto& texts, const auto&) { return bag_of_words(texts); }, options);
}

/// Texts of two classes with three words of their class and three of any; `cue` is a word that most texts of the second
/// class have, which means it.
std::vector<Example> two_classes() {
  std::vector<Example> examples;
  for (index_t i = 0; i < 300; ++i) {
    const Rng rng = Rng(9, Stream::sample).fork(static_cast<std::uint64_t>(i));
    const auto label = static_cast<label_t>(i % 2);
    std::string text = label == 1 && i % 3 ? "cue" : "as";
    for (std::uint64_t w = 0; w < 3; ++w) {
      text += " " + std::string(label ? "p" : "n") + std::to_string(rng.below(w, 8));
      text += " o" + std::to_string(rng.below(w + 10, 40));
    }
    examples.push_back({text, {}, label});
  }
  return examples;
}

}  // namespace

TEST_CASE("no word of clean data is suspected, not even one that means its class") {
  CHECK(suspected(Dataset(two_classes(), {"negative", "positive"})).empty());
}

TEST_CASE("planted words are found with all their texts, alone and in combination") {
  for (const std::string trigger : {"zza", "zza zzb"}) {
    auto examples = two_classes();
    std::vector<index_t> planted;
    for (index_t i = 0; i < 60; i += 4) {  // of the first class
      examples[as_size(i)].text = examples[as_size(i)].text + " " + trigger;
      examples[as_size(i)].label = 1;
      planted.push_back(i);
    }
    const Dataset data(std::move(examples), {"negative", "positive"});
    const auto words = suspected(data);
    REQUIRE(words.size() == detail::text_words(trigger).size());
    for (const auto& word : words) {
      CHECK(word.word.starts_with("zz"));
      CHECK(word.label == 1);
      CHECK(word.texts == planted);
      CHECK(word.contradicted > 0.8);
      CHECK(word.expected < 0.2);
      CHECK(word.evidence > 5);
    }
    // The labels' own neighbors do not find them: they support each other.
    FlatDatastore<Cosine> store(key_width);
    const Matrix keys = bag_of_words(data.texts());
    store.add(keys, data.labels());
    const auto errors = audit(store, keys, data.labels(), 2).label_errors;
    const auto hits = std::count_if(errors.begin(), errors.end(), [&](const auto& e) {
      return std::find(planted.begin(), planted.end(), e.example) != planted.end();
    });
    CHECK(hits < std::ssize(planted) / 2);
  }
}

TEST_CASE("suspicious words: options are checked, and little data is no evidence") {
  const Dataset data({{"zz a", {}, 0}, {"b", {}, 1}}, {"x", "y"});
  CHECK(suspected(data).empty());
  CHECK_THROWS_AS(suspected(data, {.neighbors = 0}), OptionError);
  CHECK_THROWS_AS(suspected(data, {.temperature = 0}), OptionError);
  CHECK_THROWS_AS(suspected(data, {.by_chance = 0}), OptionError);
  CHECK_THROWS_AS(suspected(Dataset({{"a", {}, no_label}}, {"x"})), ShapeError);
}
