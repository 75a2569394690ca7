#pragma once
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "knnbert/core/error.hpp"
#include "knnbert/core/matrix.hpp"
#include "knnbert/evaluate/left_out.hpp"

namespace knnbert::inline v0_1 {

struct AuditOptions {
  index_t neighbors = 20;
  float temperature = 0.1f;      ///< of the similarity vote
  double near_duplicate = 0.13;  ///< distance of near-duplicates, as a share of the median distance of neighbors
  double outlier = 3;            ///< distance of outliers above the median, in median absolute deviations
  float closest = 1;             ///< the score of equal rows: distance = closest - score

  /// Errors: OptionError.
  void validate() const {
    const auto require = [](bool right, std::string_view name, double given, std::string_view expected) {
      if (!right) raise<OptionError>("AuditOptions::{}: {} given, {} expected", name, given, expected);
    };
    require(neighbors >= 1, "neighbors", static_cast<double>(neighbors), "at least 1");
    require(temperature > 0, "temperature", temperature, "a positive number");
    require(near_duplicate >= 0, "near_duplicate", near_duplicate, "at least 0");
    require(outlier > 0, "outlier", outlier, "a positive number");
  }
};

/// What the neighbors of labeled texts say of them. Numbers are places in the audited data.
struct Audit {
  struct LabelError {
    index_t example;
    label_t given, suggested;
    double self_confidence;  ///< probability of its label by all other examples
  };
  struct Pair {
    index_t example, other;  ///< example < other, or other is a place in the second data set
    double similarity;
    bool same_label;
  };
  struct Outlier {
    index_t example;
    double distance;  ///< mean distance of its neighbors
  };

  std::vector<LabelError> label_errors;                 ///< the least supported first
  std::vector<Pair> near_duplicates;                    ///< the most similar first
  std::vector<Outlier> outliers;                        ///< the farthest first
  double duplicate_distance = 0, outlier_distance = 0;  ///< from and up to which these were found
};

namespace detail {

inline double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The neighbors of one example without itself, at most `count`.
inline std::vector<Neighbor> without(std::span<const Neighbor> neighbors, example_id self, index_t count) {
  std::vector<Neighbor> others;
  for (const Neighbor& n : neighbors)
    if (n.id != self && std::ssize(others) < count) others.push_back(n);
  return others;
}

}  // namespace detail

namespace detail {

/// row(i): [C], until the next call; asked for in ascending order, twice.  own [N]: what rows say of labels.
template <class Rows>
std::vector<Audit::LabelError> label_errors_of(Rows&& row, index_t count, std::span<const float> own,
                                               std::span<const label_t> labels) {
  std::map<label_t, std::vector<index_t>> called;
  for (index_t i = 0; i < count; ++i) called[labels[as_size(i)]].push_back(i);
  std::vector<std::pair<label_t, double>> threshold;
  for (const auto& [a, texts] : called) {
    double sum = 0;
    for (const index_t i : texts) sum += own[as_size(i)];
    threshold.emplace_back(a, sum / static_cast<double>(texts.size()));
  }
  std::vector<label_t> likeliest;
  std::map<label_t, std::map<label_t, double>> confident;  // of the examples called a, those that count as one of b
  for (index_t i = 0; i < count; ++i) {
    const std::span<const float> p = row(i);
    label_t best = -1;
    for (const auto& [c, least] : threshold)
      if (p[as_size(c)] >= least && (best < 0 || p[as_size(c)] > p[as_size(best)])) best = c;
    if (best >= 0) ++confident[labels[as_size(i)]][best];
    likeliest.push_back(static_cast<label_t>(std::max_element(p.begin(), p.end()) - p.begin()));
  }
  std::map<std::pair<label_t, label_t>, std::vector<float>> margins;  // of b less a, for all called a
  for (index_t i = 0; i < count; ++i) {
    const label_t a = labels[as_size(i)];
    const auto others = confident.find(a);
    if (others == confident.end() || (others->second.size() == 1 && others->second.contains(a))) continue;
    const std::span<const float> p = row(i);
    for (const auto& [b, n] : others->second)
      if (b != a) margins[{a, b}].push_back(p[as_size(b)] - p[as_size(a)]);
  }
  std::vector<label_t> suggested(as_size(count), -1);
  for (const auto& of_pair : margins) {
    const auto& [a, b] = of_pair.first;
    const auto& margin = of_pair.second;
    const auto& texts = called[a];
    double all = 0;
    for (const auto& [c, n] : confident[a]) all += n;
    std::vector<std::size_t> order(texts.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](auto x, auto y) { return margin[x] > margin[y]; });
    const auto wrong = static_cast<std::size_t>(std::lround(confident[a][b] / all * static_cast<double>(texts.size())));
    for (std::size_t k = 0; k < std::min(wrong, order.size()); ++k)
      if (const auto i = as_size(texts[order[k]]); likeliest[i] != a) suggested[i] = likeliest[i];
  }
  std::vector<Audit::LabelError> found;
  for (const auto& [a, texts] : called)
    for (const index_t i : texts)
      if (suggested[as_size(i)] >= 0)
        found.push_back({i, a, suggested[as_size(i)], static_cast<double>(own[as_size(i)])});
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& x, const auto& y) { return x.self_confidence < y.self_confidence; });
  return found;
}

}  // namespace detail

/// Labels that are likely wrong, by confident learning (Northcutt, Jiang and Chuang, arXiv 1911.00068): an example
/// counts as one of class b that is called a where b is the likeliest class of those that reach their threshold, the
/// mean probability of b among the examples called b. So many of those called a, scaled to all of them, are likely
/// wrong: those with the largest probability of b less that of a, unless a is the likeliest class nevertheless.
/// p [N, C]: what the other examples say; labels [N].
inline std::vector<Audit::LabelError> label_errors(ConstView p, std::span<const label_t> labels) {
  require_shape("label_errors", p, std::ssize(labels), p.cols());
  detail::require_labels("label_errors", labels, p.cols());
  std::vector<float> own;
  for (index_t i = 0; i < p.rows(); ++i) own.push_back(p(i, labels[as_size(i)]));
  return detail::label_errors_of([&](index_t i) { return p.row(i); }, p.rows(), own, labels);
}

/// Audits labeled examples by a datastore of them, whose ids are their places 0 to N - 1 in the order of `labels`.
/// Wrong labels are sought by the neighbors' vote and a linear regression on the keys together, each without the
/// example itself.  Errors: OptionError; ShapeError for labels without a class and for a datastore of other examples.
/// Cost: O(N D (N + D + C)), in memory O(D (N + C)).
template <class Datastore>
Audit audit(const Datastore& store, ConstView keys, std::span<const label_t> labels, index_t classes,
            const AuditOptions& options = {}) {
  options.validate();
  detail::require_labels("audit", labels, classes);
  require_shape("audit: keys", keys, std::ssize(labels), keys.cols());
  if (store.size() != keys.rows())
    raise<ShapeError>("audit: a datastore of {} examples given, {} expected", store.size(), keys.rows());
  Audit found;
  const NeighborLists lists = store.search(keys, std::min(options.neighbors, store.size()) + 1);
  std::vector<std::vector<Neighbor>> neighbors;
  std::vector<double> distances, means;
  const auto distance = [&](const Neighbor& n) {
    return std::max(0.0, static_cast<double>(options.closest) - n.score);
  };
  for (index_t i = 0; i < keys.rows(); ++i) {
    for (const Neighbor& n : lists[i])
      if (n.id < 0 || n.id >= keys.rows() || n.label != labels[as_size(n.id)])
        raise<ShapeError>("audit: example {} of class {} in the datastore, other examples than the labels are of", n.id,
                          n.label);
    neighbors.push_back(detail::without(lists[i], i, options.neighbors));
    double sum = 0;
    for (const Neighbor& n : neighbors.back()) distances.push_back(distance(n)), sum += distance(n);
    means.push_back(neighbors.back().empty() ? 0 : sum / static_cast<double>(neighbors.back().size()));
  }
  if (keys.rows() > 1) {
    const LeftOutScores scores(keys, labels, classes);
    LeftOutDistributions rows(neighbors, options.temperature, scores, labels);
    found.label_errors = detail::label_errors_of(rows, keys.rows(), rows.of_labels(), labels);
  }
  found.duplicate_distance = options.near_duplicate * detail::median_of(distances);
  for (index_t i = 0; i < keys.rows(); ++i)
    for (const Neighbor& n : neighbors[as_size(i)])
      if (distance(n) <= found.duplicate_distance) {
        const auto& back = neighbors[as_size(n.id)];
        const bool mutual = std::any_of(back.begin(), back.end(), [&](const Neighbor& b) { return b.id == i; });
        if (i < n.id || !mutual)
          found.near_duplicates.push_back({std::min<index_t>(i, n.id), std::max<index_t>(i, n.id),
                                           static_cast<double>(n.score), labels[as_size(i)] == labels[as_size(n.id)]});
      }
  std::stable_sort(found.near_duplicates.begin(), found.near_duplicates.end(),
                   [](const auto& a, const auto& b) { return a.similarity > b.similarity; });
  const double middle = detail::median_of(means);
  std::vector<double> deviations;
  for (const double mean : means) deviations.push_back(std::abs(mean - middle));
  found.outlier_distance = middle + options.outlier * 1.4826 * detail::median_of(deviations);
  for (index_t i = 0; i < keys.rows(); ++i)
    if (means[as_size(i)] > found.outlier_distance) found.outliers.push_back({i, means[as_size(i)]});
  std::stable_sort(found.outliers.begin(), found.outliers.end(),
                   [](const auto& a, const auto& b) { return a.distance > b.distance; });
  return found;
}

/// Examples of a second data set that the datastore's examples give away: nearer than `distance`.  keys [M, D]; labels
/// [M].  The pairs' `example` is a place in the datastore's data, `other` one in the second.
/// Errors: OptionError, ShapeError.
template <class Datastore>
std::vector<Audit::Pair> leaks(const Datastore& store, ConstView keys, std::span<const label_t> labels, double distance,
                               const AuditOptions& options = {}) {
  options.validate();
  require_shape("leaks: keys", keys, std::ssize(labels), keys.cols());
  std::vector<Audit::Pair> found;
  const NeighborLists lists = store.search(keys, 1);
  for (index_t i = 0; i < keys.rows(); ++i)
    for (const Neighbor& n : lists[i])
      if (options.closest - n.score <= distance)
        found.push_back({n.id, i, static_cast<double>(n.score), n.label == labels[as_size(i)]});
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.similarity > b.similarity; });
  return found;
}

}  // namespace knnbert::inline v0_1
