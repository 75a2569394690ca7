#pragma once
#include <algorithm>
#include <limits>
#include <vector>

#include "knnbert/core/matrix.hpp"
#include "knnbert/datastore/concept.hpp"
#include "knnbert/metric/concept.hpp"

namespace knnbert::inline v0_1 {

/// A datastore, or its snapshot, that shows its keys.
template <class Store>
concept ShowsKeys = requires(const Store& store) {
  store.for_each([](example_id, label_t, std::span<const float>, std::string_view, std::string_view) {});
};

/// The mean of the keys of each class that has any, prepared by the metric: [classes with examples, D].
template <ShowsKeys Store>
Matrix class_means(const Store& store) {
  std::vector<std::vector<double>> sums;
  std::vector<double> counts;
  store.for_each([&](example_id, label_t label, std::span<const float> key, std::string_view, std::string_view) {
    const auto c = static_cast<std::size_t>(label);
    if (c >= sums.size()) sums.resize(c + 1), counts.resize(c + 1);
    sums[c].resize(key.size());
    for (std::size_t d = 0; d < key.size(); ++d) sums[c][d] += static_cast<double>(key[d]);
    ++counts[c];
  });
  Matrix means(std::count_if(counts.begin(), counts.end(), [](double n) { return n > 0; }), store.width());
  index_t row = 0;
  for (std::size_t c = 0; c < sums.size(); ++c) {
    if (counts[c] == 0) continue;
    std::transform(sums[c].begin(), sums[c].end(), means.row(row++).begin(),
                   [&](double sum) { return static_cast<float>(sum / counts[c]); });
  }
  store.metric().prepare(means);
  return means;
}

/// The similarity of each query [B, D], which need not be prepared, to the nearest row of means; minus infinity if
/// there is none.
template <Metric M>
std::vector<float> nearest_similarity(const M& metric, ConstView queries, ConstView means) {
  std::vector<float> nearest(static_cast<std::size_t>(queries.rows()), -std::numeric_limits<float>::infinity());
  if (means.rows() == 0) return nearest;
  Matrix prepared(queries.rows(), queries.cols()), scores(queries.rows(), means.rows());
  copy(queries, prepared);
  metric.prepare(prepared);
  metric.score(prepared, means, scores);
  for (index_t i = 0; i < queries.rows(); ++i) {
    const auto row = scores.row(i);
    nearest[static_cast<std::size_t>(i)] = bounded_score(metric, *std::max_element(row.begin(), row.end()));
  }
  return nearest;
}

}  // namespace knnbert::inline v0_1
