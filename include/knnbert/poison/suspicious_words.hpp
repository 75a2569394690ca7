#pragma once
#include <cmath>
#include <map>
#include <numeric>

#include "knnbert/datastore/flat.hpp"
#include "knnbert/evaluate/audit.hpp"
#include "knnbert/evaluate/metrics.hpp"
#include "knnbert/poison/trigger.hpp"
#include "knnbert/text/dataset.hpp"

namespace knnbert::inline v0_1 {

struct SuspiciousWordOptions {
  index_t neighbors = 20;     ///< that judge a text
  float temperature = 0.1f;   ///< of their similarity vote
  index_t least_texts = 4;    ///< of one label that have the word
  index_t candidates = 300;   ///< words that are looked at, those that go most with one label
  index_t judged_texts = 64;  ///< of each, at most
  double least_share = 0.5;   ///< of these that must be contradicted
  double by_chance = 0.05;    ///< words that may be found where there is nothing

  /// Errors: OptionError.
  void validate() const {
    for (const auto& [name, given] : {std::pair("neighbors", neighbors),
                                      {"least_texts", least_texts},
                                      {"candidates", candidates},
                                      {"judged_texts", judged_texts}})
      if (given < 1) raise<OptionError>("SuspiciousWordOptions::{}: {} given, at least 1 expected", name, given);
    if (!(temperature > 0))
      raise<OptionError>("SuspiciousWordOptions::temperature: {} given, a positive number expected", temperature);
    if (!(by_chance > 0))
      raise<OptionError>("SuspiciousWordOptions::by_chance: {} given, a positive number expected", by_chance);
  }
};

/// A word whose texts bear a label that their neighbors contradict once it is left out, as they do where somebody has
/// put the word into texts and changed their labels.
struct SuspiciousWord {
  std::string word;
  label_t label = 0;
  double contradicted = 0;     ///< share of its texts
  double expected = 0;         ///< share of the label's texts
  double evidence = 0;         ///< nats; so large a share comes by chance with at most exp(-evidence)
  std::vector<index_t> texts;  ///< places of those of the label that have the word
};

namespace detail {

/// Of a binomial variable with `expected`: Chernoff's bound for a share this large is exp(-n divergence).
inline double binomial_evidence(double n, double share, double expected) {
  if (share <= expected) return 0;
  double divergence = share * std::log(share / expected);
  if (share < 1) divergence += (1 - share) * std::log((1 - share) / (1 - expected));
  return n * divergence;
}

/// The places of the texts that have each word, rising.  Errors: ShapeError for a text without label.
inline std::map<std::string, std::vector<index_t>> texts_of_words(const Dataset& data) {
  std::map<std::string, std::vector<index_t>> texts_of;
  for (index_t i = 0; i < data.size(); ++i) {
    if (data.label(i) == no_label) raise<ShapeError>("suspicious_words: {} has no label", data.location(i));
    for (const auto word : text_words(data.text(i))) {
      auto& texts = texts_of[std::string(word)];
      if (texts.empty() || texts.back() != i) texts.push_back(i);
    }
  }
  return texts_of;
}

/// The text without some words, wherever they stand between white space.
inline std::string without_words(std::string_view text, std::span<const std::string> words) {
  std::string left;
  for (const auto other : text_words(text))
    if (std::find(words.begin(), words.end(), other) == words.end()) left.append(left.empty() ? "" : " ").append(other);
  return left;
}

/// The word and those of the same label that hardly occur without each other: a combination goes as a whole.
inline std::vector<std::string> companions(const SuspiciousWord& word, std::span<const SuspiciousWord> words) {
  std::vector<std::string> all{word.word};
  for (const auto& other : words) {
    if (other.label != word.label || other.word == word.word) continue;
    std::vector<index_t> both;
    std::set_intersection(word.texts.begin(), word.texts.end(), other.texts.begin(), other.texts.end(),
                          std::back_inserter(both));
    if (5 * both.size() >= 4 * std::max(word.texts.size(), other.texts.size())) all.push_back(other.word);
  }
  return all;
}

/// The words that go most with one label.
inline std::vector<SuspiciousWord> words_of_labels(const Dataset& data,
                                                   const std::map<std::string, std::vector<index_t>>& texts_of,
                                                   const SuspiciousWordOptions& options) {
  std::vector<double> shares(data.classes().size(), 0);
  for (index_t i = 0; i < data.size(); ++i) shares[as_size(data.label(i))] += 1 / static_cast<double>(data.size());
  std::vector<SuspiciousWord> words;
  for (const auto& [word, texts] : texts_of) {
    std::map<label_t, std::vector<index_t>> by_label;
    for (const index_t i : texts) by_label[data.label(i)].push_back(i);
    const auto n = static_cast<double>(texts.size());
    for (auto& [label, own] : by_label) {
      if (std::ssize(own) < options.least_texts) continue;
      const double association = binomial_evidence(n, static_cast<double>(own.size()) / n, shares[as_size(label)]);
      if (association > 0)
        words.push_back({.word = word, .label = label, .evidence = association, .texts = std::move(own)});
    }
  }
  std::stable_sort(words.begin(), words.end(), [](const auto& a, const auto& b) { return a.evidence > b.evidence; });
  if (std::ssize(words) > options.candidates) words.resize(as_size(options.candidates));
  return words;
}

}  // namespace detail

/// Words that were planted together with a label, those with the most evidence first. Texts with one trigger are each
/// other's neighbors and support their label, so a word's texts are judged as they are without it, and without words
/// that hardly occur without it: each by its neighbors, and of those that stand out, once the words are gone from
/// all of them, by the neighbors that they have then. A word that means its class stays unsuspected where there is
/// enough data: its texts remain each other's neighbors.
/// keys [N, D] of the texts; features(texts, pairs): of others.  Errors: OptionError; ShapeError for a text without
/// label.
template <Metric M, class Features>
std::vector<SuspiciousWord> suspicious_words(const Dataset& data, ConstView keys, Features&& features,
                                             const SuspiciousWordOptions& options = {}) {
  options.validate();
  require_shape("suspicious_words: keys", keys, data.size(), keys.cols());
  const auto texts_of = detail::texts_of_words(data);
  const auto classes = std::ssize(data.classes());
  const auto store_of = [&](ConstView rows) {
    FlatDatastore<M> store(rows.cols());
    store.add(rows, data.labels());
    return store;
  };
  /// Whether the neighbors of each row, a text without itself, give another label than the text's.
  const auto contradicted = [&](const auto& store, ConstView rows, std::span<const index_t> texts) {
    const NeighborLists lists = store.search(rows, options.neighbors + 1);
    std::vector<float> vote(as_size(classes));
    std::vector<char> out;
    for (index_t r = 0; r < rows.rows(); ++r) {
      const index_t self = texts[as_size(r)];
      left_out_vote(detail::without(lists[r], self, options.neighbors), options.temperature, vote);
      out.push_back(argmax(vote) != data.label(self));
    }
    return out;
  };
  const auto keys_without = [&](const std::vector<std::string>& gone, std::span<const index_t> places) {
    std::vector<std::string> texts, pairs;
    for (const index_t i : places) {
      texts.push_back(detail::without_words(data.text(i), gone));
      if (data.has_pairs()) pairs.push_back(data.pair(i));
    }
    return Matrix(features(texts, pairs));
  };
  const auto all = store_of(keys);
  std::vector<index_t> everything(as_size(data.size()));
  std::iota(everything.begin(), everything.end(), index_t{0});
  std::vector<double> of_label(as_size(classes), 1), expected(as_size(classes), 1);  // never certain
  const auto as_they_are = contradicted(all, keys, everything);
  for (index_t i = 0; i < data.size(); ++i)
    ++of_label[as_size(data.label(i))], expected[as_size(data.label(i))] += as_they_are[as_size(i)];
  auto words = detail::words_of_labels(data, texts_of, options);
  const double least = std::log(static_cast<double>(std::max<std::size_t>(1, words.size())) / options.by_chance);
  const auto stands_out = [&](SuspiciousWord& word, const std::vector<char>& found) {
    const auto n = static_cast<double>(found.size());
    word.contradicted = static_cast<double>(std::count(found.begin(), found.end(), 1)) / n;
    word.expected = expected[as_size(word.label)] / of_label[as_size(word.label)];
    word.evidence = detail::binomial_evidence(n, word.contradicted, word.expected);
    return word.contradicted >= options.least_share && word.evidence >= least;
  };
  const auto candidates = words;
  std::erase_if(words, [&](SuspiciousWord& word) {
    std::vector<index_t> judged;
    const auto n = std::ssize(word.texts), count = std::min(n, options.judged_texts);
    for (index_t j = 0; j < count; ++j) judged.push_back(word.texts[as_size(j * n / count)]);
    return !stands_out(word, contradicted(all, keys_without(detail::companions(word, candidates), judged), judged));
  });
  std::erase_if(words, [&](SuspiciousWord& word) {
    const Matrix own = keys_without(detail::companions(word, candidates), word.texts);
    Matrix rows(keys.rows(), keys.cols());
    copy(keys, rows);
    for (index_t r = 0; r < own.rows(); ++r)
      std::copy_n(own.row(r).begin(), own.cols(), rows.row(word.texts[as_size(r)]).begin());
    return !stands_out(word, contradicted(store_of(rows), own, word.texts));
  });
  std::stable_sort(words.begin(), words.end(), [](const auto& a, const auto& b) { return a.evidence > b.evidence; });
  return words;
}

}  // namespace knnbert::inline v0_1
