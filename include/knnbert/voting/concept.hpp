#pragma once
#include <algorithm>
#include <concepts>
#include <limits>
#include <string_view>
#include <vector>

#include "knnbert/core/error.hpp"
#include "knnbert/datastore/neighbor.hpp"

namespace knnbert::inline v0_1 {

/// A vote or fusion with numbers that users tune: settings(visit) calls visit(name, number, least, greatest) for each,
/// a float&, in a fixed order. Model directories keep them as "fusion.NAME" or "voting.NAME" and refuse others than
/// least to greatest. One that has members but no settings() cannot be saved.
template <class P>
concept HasSettings = requires(P& policy, void (*visit)(std::string_view, float&, float, float)) {
  policy.settings(visit);
};

/// Turns neighbors into a distribution over classes: voting(neighbors, probabilities [C]) overwrites probabilities,
/// which sum to one; without neighbors it is uniform. Neighbors may be fewer than were asked for. Equal probabilities
/// are a tie, and whoever decides takes the smallest class. A label outside [0, C) is a ShapeError. Check yours with
/// testing/voting_laws.hpp.
template <class V>
concept Voting = std::semiregular<V> &&
    requires(const V& voting, std::span<const Neighbor> neighbors, std::span<float> probabilities) {
  voting(neighbors, probabilities);
};

/// Mixes two distributions over the same classes into one: fusion(head [C], knn [C], out [C]); out may be one of them.
template <class F>
concept Fusion = std::semiregular<F> &&
    requires(const F& fusion, std::span<const float> head, std::span<const float> knn, std::span<float> out) {
  fusion(head, knn, out);
};

/// Whether a fusion is phi knn + (1 - phi) head with its member phi in [0, 1], of which certificates know what it says.
/// A specialization names exactly one fusion, nothing derived from it.
template <class F>
inline constexpr bool is_convex = false;

namespace detail {

inline constexpr float smallest_setting = std::numeric_limits<float>::min(),
                       largest_setting = std::numeric_limits<float>::max();

/// probabilities_c proportional to the sum of weight(neighbor) over neighbors of class c, weights >= 0 and not all
/// zero.
template <class Weight>
void vote(std::string_view where, std::span<const Neighbor> neighbors, std::span<float> probabilities,
          Weight&& weight) {
  const auto classes = std::ssize(probabilities);
  if (classes < 1) raise<ShapeError>("{}: no classes", where);
  for (const Neighbor& n : neighbors)
    if (n.label < 0 || n.label >= classes)
      raise<ShapeError>("{}: neighbor {} of class {}, below {} expected", where, n.id, n.label, classes);
  std::fill(probabilities.begin(), probabilities.end(), neighbors.empty() ? 1 / static_cast<float>(classes) : 0.0f);
  double total = 0;
  std::vector<double> sums(as_size(classes));  // rounded once: thousands of neighbors leave certificates right
  for (const Neighbor& n : neighbors) {
    const double w = weight(n);
    total += w;
    sums[as_size(n.label)] += w;
  }
  for (const Neighbor& n : neighbors)
    probabilities[as_size(n.label)] = static_cast<float>(sums[as_size(n.label)] / total);
}

/// Multiplies a distribution by positive weights and brings it to sum 1 again.
inline void reweigh(std::span<const float> weights, std::span<float> distribution) {
  float sum = 0;
  for (std::size_t c = 0; c < distribution.size(); ++c) sum += distribution[c] *= weights[c];
  if (sum > 0)
    for (float& p : distribution) p /= sum;
}

inline void require_same_classes(std::string_view where, std::span<const float> head, std::span<const float> knn,
                                 std::span<float> out) {
  if (head.size() != knn.size() || head.size() != out.size())
    raise<ShapeError>("{}: distributions over {}, {} and {} classes, equal numbers expected", where, head.size(),
                      knn.size(), out.size());
}

}  // namespace detail
}  // namespace knnbert::inline v0_1
