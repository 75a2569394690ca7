#pragma once
#include <cmath>

#include "knnbert/core/error.hpp"
#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// How the loss is averaged over the anchors of a batch; equal when every anchor has the same number of positives.
enum class Reduction {
  anchor_mean,  ///< mean over the positives of an anchor, then over valid anchors
  pair_mean,    ///< mean over all (anchor, positive) pairs
};

/// Which keys an anchor ranks.
enum class Lists {
  per_query,  ///< all of its own
  batch_min,  ///< the closest ones only, as many as the poorest valid anchor of the batch has
};

/// Which queue keeps the keys.
enum class QueueKind {
  fifo,            ///< the last ones
  class_balanced,  ///< the last ones of every class
  memory_bank,     ///< the first ones, which never change
  clustered,       ///< the last ones, with a cluster beside the class (ClusterMoCo)
};

/// Which of the keys that may be positives of an anchor are used.
enum class PositiveRule {
  most_and_least,  ///< the most and the least similar ones (KNN-BERT)
  random,          ///< any, without replacement
  own_key,         ///< the key that was encoded for the anchor, alone (MoCo)
};

inline const char* name_of(QueueKind kind) {
  constexpr const char* names[] = {"fifo", "class-balanced", "memory-bank", "clustered"};
  return names[static_cast<std::size_t>(kind)];
}
inline const char* name_of(PositiveRule rule) {
  constexpr const char* names[] = {"most-and-least", "random", "own-key"};
  return names[static_cast<std::size_t>(rule)];
}

/// Positives and negatives by class and cluster.
enum class ClusterRule {
  conjunction,  ///< positive: same cluster and same class; negative: another class
  xnor,         ///< positive: both equal or both different; negative: exactly one equal (the released ClusterMoCo)
};

/// A queue that is chosen at run time, of those that this library has: SelectedQueue.
struct QueueChoice {
  QueueKind kind = QueueKind::fifo;
  PositiveRule positives = PositiveRule::most_and_least;
  bool shared_ranks = false;  ///< random: RandomPositives::shared_ranks
  ClusterRule cluster_rule = ClusterRule::conjunction;
  bool interleaved_negatives = false;  ///< clustered: ClusterPositives::interleaved_negatives

  bool operator==(const QueueChoice&) const = default;
  /// Errors: OptionError.
  void validate() const {
    if (kind == QueueKind::clustered && positives != PositiveRule::most_and_least)
      raise<OptionError>("QueueChoice: other positives than the most similar ones given for a clustered queue");
    if (kind != QueueKind::clustered && interleaved_negatives)
      raise<OptionError>("QueueChoice::interleaved_negatives: true given, false expected: the queue is not clustered");
  }
};

/// What happens when most and least similar positives overlap.
enum class Overlap {
  unique,     ///< a key counts once
  duplicate,  ///< a key in both slices counts twice
};

/// The contrastive loss of a queue (KNN-BERT, arXiv 2110.02523, Eq. 3). The defaults are the paper's; batch_min,
/// duplicate and pair_mean reproduce its released code.
struct ContrastOptions {
  float temperature = 0.07f;
  index_t most_similar = 100;  ///< positives taken from the close end of the ranking
  index_t least_similar = 1;   ///< positives taken from its far end
  Reduction reduction = Reduction::anchor_mean;
  Lists lists = Lists::per_query;
  Overlap overlap = Overlap::unique;

  // A part of a batch needs to know the whole: KeyTable::for_batch fills these in. 0: what the given anchors say.
  index_t valid_anchors = 0;   ///< anchor_mean divides by this
  index_t positive_pairs = 0;  ///< pair_mean divides by this
  index_t fewest_candidates =
      0;                         ///< keys that the poorest valid anchor could use as positives: batch_min, shared ranks
  index_t fewest_negatives = 0;  ///< its negatives: batch_min
  index_t first_anchor = 0;      ///< position of the part in the batch: random positives are drawn by it

  /// Errors: OptionError.
  void validate() const {
    if (!(temperature > 0) || !std::isfinite(temperature))
      raise<OptionError>("ContrastOptions::temperature: {} given, a positive number expected", temperature);
    if (most_similar < 0 || least_similar < 0 || most_similar + least_similar == 0)
      raise<OptionError>("ContrastOptions: {} most and {} least similar positives given, at least one expected",
                         most_similar, least_similar);
    constexpr index_t most = index_t{1} << 40;
    for (const index_t number : {most_similar, least_similar})
      if (number > most)
        raise<OptionError>("ContrastOptions: {} positives of one end given, at most {} expected", number, most);
    for (const index_t number : {valid_anchors, positive_pairs, fewest_candidates, fewest_negatives, first_anchor})
      if (number < 0)
        raise<OptionError>("ContrastOptions: {} given as a count of the batch, at least 0 expected", number);
  }
};

/// What one call of contrast() did.
struct ContrastReport {
  float loss = 0;              ///< meaningless unless present()
  index_t anchors = 0;         ///< rows of the batch
  index_t valid_anchors = 0;   ///< with at least one positive and one negative
  index_t zero_anchors = 0;    ///< all-zero rows: similarity 0 to everything
  index_t positive_pairs = 0;  ///< positives used, over all anchors
  double mean_positive = 0;    ///< similarity, mean over the positives of an anchor, then over valid anchors
  double mean_negative = 0;    ///< the same of the negatives

  /// A batch without a valid anchor has no contrastive loss at all.
  bool present() const { return valid_anchors > 0; }
};

}  // namespace knnbert::inline v0_1
