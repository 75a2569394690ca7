#pragma once
#include <cmath>

#include "knnbert/core/error.hpp"
#include "knnbert/core/types.hpp"

namespace knnbert {

/// How the anchors of a batch share the loss; equal when every anchor has the same number of positives.
enum class Reduction {
  anchor_mean,  ///< mean over the positives of an anchor, then over valid anchors
  pair_mean,    ///< mean over all (anchor, positive) pairs
};

/// Which keys an anchor ranks.
enum class Lists {
  per_query,  ///< all of its own
  batch_min,  ///< the closest ones only, as many as the poorest valid anchor of the batch has
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
  index_t valid_anchors = 0;   ///< anchor_mean divides by this; 0: by the valid anchors given. For split batches.
  index_t positive_pairs = 0;  ///< pair_mean divides by this; 0: by the pairs given

  /// Errors: OptionError.
  void validate() const {
    if (!(temperature > 0) || !std::isfinite(temperature))
      raise<OptionError>("ContrastOptions::temperature: {} given, a positive number expected", temperature);
    if (most_similar < 0 || least_similar < 0 || most_similar + least_similar == 0)
      raise<OptionError>("ContrastOptions: {} most and {} least similar positives given, at least one expected", most_similar,
                         least_similar);
    if (valid_anchors < 0 || positive_pairs < 0)
      raise<OptionError>("ContrastOptions: {} valid anchors and {} pairs given, none may be negative", valid_anchors, positive_pairs);
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

}  // namespace knnbert
