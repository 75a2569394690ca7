#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <queue>
#include <vector>

#include "knnbert/voting/selected.hpp"

namespace knnbert::inline v0_1 {

/// How many edits of a datastore leave an answer as it is, whatever they are. An edit removes an example, adds one of
/// a class that the model was trained on, or alters one, which is both; the encoder stays the same. None: the vote or
/// the metric has no bound.
struct Certificate {
  static constexpr index_t any_number = std::numeric_limits<index_t>::max();
  std::optional<index_t> knn = {}, combined = {};
};

/// Whether a vote is p_c proportional to the sum over neighbors of class c of its member weight(score) > 0, which rises
/// with the score; its member exact(), if it has one, says whether such sums have no rounding. A specialization names
/// exactly one vote, nothing derived from it.
template <class V>
inline constexpr bool is_weighted = false;
template <>
inline constexpr bool is_weighted<MajorityVoting> = true;
template <>
inline constexpr bool is_weighted<SoftmaxWeighted> = true;
template <>
inline constexpr bool is_weighted<DistanceWeighted> = true;
template <>
inline constexpr bool is_weighted<SelectedVoting> = true;

template <class V>
concept WeightedVoting = Voting<V> && is_weighted<V> && requires(const V& voting, float score) {
  { voting.weight(score) } -> std::convertible_to<double>;
};

/// What decides between the answer and another class: phi p_knn + (1 - phi) p_head, ties to the smaller class.
struct CertifiedAnswer {
  label_t label = 0;
  double phi = 1;                    ///< of the vote
  std::span<const float> head = {};  ///< [C]; none with phi = 1
  index_t classes = 0;               ///< C
  bool exact = false;                ///< sums of weights have no rounding: a tie is one
};

namespace detail {

/// By how much the head alone prefers another class to the answer, in what decides.
inline double head_gap(const CertifiedAnswer& answer, label_t other) {
  if (!(answer.phi < 1)) return 0;
  return (1 - answer.phi) * (static_cast<double>(answer.head[as_size(other)]) - answer.head[as_size(answer.label)]);
}

/// The largest advantage that m edits can give a class over the answer:
///   sum of weight_i q_i over the neighbors, q_i = (1 - phi) (head_other - head_answer) + phi * (1 for the other class,
///   -1 for the answer, else 0),
/// which has the sign of (p_other - p_answer), as the sum of the weights is positive.
/// q(other) is > 0, else nothing can make the sum positive. An added example is best of the other class and as near
/// as can be: its term is then at least that of any neighbor, and of the one that it displaces. So all m are added,
/// and what remains of the neighbors are the first k - m of those that are not removed. Of r removed ones among these
/// and the ones that follow, which are the first k - m + r, the best are those with the smallest terms; others need
/// not be looked at. The maximum over r <= m is reached, for a datastore whose scores can be so.
/// weights: of the neighbors. With m it only grows. O(k log k)
inline double best_advantage(std::span<const Neighbor> neighbors, std::span<const double> weights, index_t k,
                             const CertifiedAnswer& answer, label_t other, index_t m, double largest, double& total) {
  const double gap = head_gap(answer, other);
  const index_t n = std::ssize(neighbors);
  std::priority_queue<double, std::vector<double>, std::greater<>> kept;
  double sum = static_cast<double>(m) * largest * (gap + answer.phi), all = static_cast<double>(m) * largest;
  index_t window = 0;
  const auto widen = [&] {
    const auto i = as_size(window++);
    const label_t label = neighbors[i].label;
    const double term = weights[i] * (gap + (label == other ? answer.phi : label == answer.label ? -answer.phi : 0));
    kept.push(term);
    sum += term, all += weights[i];
  };
  while (window < std::min(n, k - m)) widen();
  double best = sum;
  total = all;
  for (index_t removed = 1; removed <= m && removed <= n; ++removed) {
    if (window < n) widen();
    if (kept.empty()) break;
    sum -= kept.top();
    kept.pop();
    if (sum > best) best = sum, total = all;
  }
  return best;
}

}  // namespace detail

/// The largest m for which no m edits change the answer. neighbors: the first k of the datastore, closest first, or
/// all where it has fewer; largest: of what a neighbor can weigh.
/// Without rounding no m + 1 edits exist only where scores cannot be as needed, such as those of more equal texts than
/// m. Cost: O(k log^2 k) for each class among the neighbors.
template <class Weight>
index_t certified_edits(std::span<const Neighbor> neighbors, index_t k, const CertifiedAnswer& answer,
                        const Weight& weight, double largest) {
  std::vector<label_t> others;
  for (const Neighbor& n : neighbors)
    if (n.label != answer.label && std::find(others.begin(), others.end(), n.label) == others.end())
      others.push_back(n.label);
  std::optional<label_t> outsider;  // of those without neighbors only the best can be first
  for (label_t c = 0; c < answer.classes; ++c) {
    if (c == answer.label || std::find(others.begin(), others.end(), c) != others.end()) continue;
    if (!outsider || (answer.phi < 1 && answer.head[as_size(c)] > answer.head[as_size(*outsider)])) outsider = c;
  }
  if (outsider) others.push_back(*outsider);
  std::erase_if(others, [&](label_t other) { return !(answer.phi + detail::head_gap(answer, other) > 0); });
  if (others.empty()) return Certificate::any_number;
  std::vector<double> weights;
  for (const Neighbor& n : neighbors) weights.push_back(weight(n.score));
  if (!std::all_of(weights.begin(), weights.end(), [](double w) { return std::isfinite(w); })) return 0;  // no sums
  const auto wins = [&](label_t other, index_t m) {
    double total = 1;
    const double best = detail::best_advantage(neighbors, weights, k, answer, other, m, largest, total);
    return answer.exact ? best > 0 || (best == 0 && other < answer.label) : best > -1e-6 * total;
  };
  index_t least = k + 1;  // edits by which some class wins, if it is one of at most k
  for (const label_t other : others) {
    if (!wins(other, least - 1)) continue;
    for (index_t loses = 0; least - 1 - loses > 0;) {
      const index_t middle = loses + (least - loses) / 2;
      (wins(other, middle) ? least : loses) = middle;
    }
  }
  return least > k ? Certificate::any_number : least - 1;
}

}  // namespace knnbert::inline v0_1
