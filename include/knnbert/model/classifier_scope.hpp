#pragma once
#include "knnbert/datastore/class_means.hpp"
#include "knnbert/model/classifier.hpp"

/// How far texts are out of scope: what Classifier declares.
namespace knnbert::inline v0_1 {

template <class Stack>
template <class Store>
std::vector<float> Classifier<Stack>::scope_scores(ScopeScore score, const Store& store, const Answers& texts) const {
  std::vector<float> scores;
  if (score == ScopeScore::class_mean) {
    if constexpr (ShowsKeys<Store>) {
      scores = nearest_similarity(store.metric(), texts.features, class_means(store));
      for (float& similarity : scores) similarity = -similarity;
      return scores;
    } else {
      raise<OptionError>("ScopeScore::class_mean given, another score expected: this datastore does not show its keys");
    }
  }
  std::vector<float> fused(static_cast<std::size_t>(texts.distributions.combined.cols()));
  for (index_t i = 0; i < texts.features.rows(); ++i) {
    if (score == ScopeScore::energy) {
      scores.push_back(detail::energy_score(texts.logits.row(i)));
    } else if (score == ScopeScore::max_probability) {
      fuse(texts.distributions.head.row(i), texts.distributions.knn.row(i), fused);
      scores.push_back(1 - *std::max_element(fused.begin(), fused.end()));
    } else {
      const auto neighbors = texts.neighbors[i];
      scores.push_back(neighbors.empty() ? std::numeric_limits<float>::infinity() : -neighbors.front().score);
    }
  }
  return scores;
}

}  // namespace knnbert::inline v0_1
