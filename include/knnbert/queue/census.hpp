#pragma once
#include <algorithm>
#include <limits>

#include "knnbert/queue/positives.hpp"

namespace knnbert::inline v0_1 {

/// Rows with a label each.
struct LabeledRows {
  ConstView rows;                   // [N, D]
  std::span<const label_t> labels;  // [N]

  label_t label(index_t i) const { return labels[static_cast<std::size_t>(i)]; }
};

/// What the labels alone tell about a contrast: who can take part, and how much each anchor weighs.
struct Census {
  struct Anchor {
    index_t candidates = 0, negatives = 0;
    index_t positives = 0;  ///< that will be used; 0: the anchor takes no part
  };
  std::vector<Anchor> anchors;
  index_t fewest_candidates = 0, fewest_negatives = 0;  ///< over valid anchors, of the whole batch
  index_t valid_anchors = 0, positive_pairs = 0;

  bool valid(index_t anchor) const { return anchors[static_cast<std::size_t>(anchor)].positives > 0; }

  /// Weight of one positive of the anchor.
  double weight(index_t anchor, const ContrastOptions& o) const {
    if (o.reduction == Reduction::pair_mean)
      return 1 / static_cast<double>(o.positive_pairs ? o.positive_pairs : positive_pairs);
    const index_t positives = anchors[static_cast<std::size_t>(anchor)].positives;
    return 1 /
           (static_cast<double>(o.valid_anchors ? o.valid_anchors : valid_anchors) * static_cast<double>(positives));
  }
};

/// True for policies whose positives come with the call instead of from the queue.
template <class Positives>
inline constexpr bool brings_positives = requires(const Positives& p) {
  p.keys.rows();
};

/// The census of anchors; count(label) -> Census::Anchor tells the candidates and negatives of those with a label, and
/// is called once for each distinct one. `census` is overwritten.
template <class Count, class Positives>
void take_census(std::span<const label_t> anchors, const ContrastOptions& options, const Positives& positives,
                 Count&& count, Census& census) {
  auto kept = std::move(census.anchors);
  kept.assign(anchors.size(), {});
  census = {std::move(kept)};
  constexpr auto most = std::numeric_limits<index_t>::max();
  index_t fewest_candidates = most, fewest_negatives = most;
  const auto can = [](const Census::Anchor& a) {
    return a.negatives > 0 && (a.candidates > 0 || brings_positives<Positives>);
  };
  for (std::size_t i = 0; i < anchors.size(); ++i) {
    auto& anchor = census.anchors[i];
    const auto twin = static_cast<std::size_t>(
        std::find(anchors.begin(), anchors.begin() + static_cast<index_t>(i), anchors[i]) - anchors.begin());
    if (twin < i) anchor = census.anchors[twin];
    else anchor = count(anchors[i]);
    if (!can(anchor)) continue;
    fewest_candidates = std::min(fewest_candidates, anchor.candidates);
    fewest_negatives = std::min(fewest_negatives, anchor.negatives);
  }
  if (options.fewest_candidates > 0) fewest_candidates = std::min(fewest_candidates, options.fewest_candidates);
  if (options.fewest_negatives > 0) fewest_negatives = std::min(fewest_negatives, options.fewest_negatives);
  for (auto& anchor : census.anchors) {
    if (!can(anchor)) continue;
    anchor.positives = positives.count(anchor.candidates, fewest_candidates, options);
    census.valid_anchors += anchor.positives > 0;
    census.positive_pairs += anchor.positives;
  }
  if (census.valid_anchors == 0) return;
  census.fewest_candidates = fewest_candidates;
  census.fewest_negatives = fewest_negatives;
}

/// Counts candidates and negatives of every anchor.  Cost: O(distinct anchor labels * N).
template <class Mask, class Positives>
void take_census(const Mask& mask, std::span<const label_t> keys, std::span<const label_t> anchors,
                 const ContrastOptions& options, const Positives& positives, Census& census) {
  const auto count = [&](label_t label) {
    Census::Anchor anchor;
    for (const label_t key : keys) {
      anchor.candidates += mask.positive(label, key);
      anchor.negatives += mask.negative(label, key);
    }
    return anchor;
  };
  take_census(anchors, options, positives, count, census);
}

}  // namespace knnbert::inline v0_1
