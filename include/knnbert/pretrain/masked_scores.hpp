#pragma once
#include "knnbert/encoder/require_batch.hpp"
#include "knnbert/pretrain/masked_language_model.hpp"
#include "knnbert/pretrain/masking.hpp"

namespace knnbert::inline v0_1 {

/// How well hidden tokens are found.
struct MaskedScores {
  double loss = 0, accuracy = 0, accuracy_at_5 = 0;  ///< mean cross entropy; shares
  index_t tokens = 0;                                ///< hidden ones
  std::uint64_t seed = 0;                            ///< of what is hidden
};

/// Scores on sequences whose masks are drawn from a seed: the same ones whenever it is the same.
/// Errors: NonFiniteError for parameters that have diverged.
template <class Stack>
MaskedScores masked_scores(const BasicMaskedLanguageModel<Stack>& model, const Batch& sequences, const Masker& masker,
                           std::uint64_t seed = 1) {
  constexpr index_t sequences_at_once = 32;
  const MaskedSequences data(sequences, masker);
  MaskedScores scores{.seed = seed};
  for (index_t first = 0; first < data.size(); first += sequences_at_once) {
    std::vector<index_t> examples;
    for (index_t e = first; e < std::min(first + sequences_at_once, data.size()); ++e) examples.push_back(e);
    Batch batch;
    Targets targets;
    data.assign(examples, {.seed = seed}, batch, targets);
    std::vector<index_t> places;
    for (index_t t = 0; t < batch.tokens(); ++t)
      if (targets.classes[as_size(t)] >= 0) places.push_back(t);
    model.each_logits(batch, places, [&](index_t row, View logits) {
      require_finite_rows("masked_scores", "what is said of hidden token", logits);
      for (index_t r = 0; r < logits.rows(); ++r) {
        const auto all = logits.row(r);
        const float right = all[as_size(targets.classes[as_size(places[as_size(row + r)])])];
        const auto better = std::count_if(all.begin(), all.end(), [right](float x) { return x > right; });
        scores.loss += log_sum_exp(all) - static_cast<double>(right);
        scores.accuracy += better < 1, scores.accuracy_at_5 += better < 5;
      }
    });
    scores.tokens += std::ssize(places);
  }
  const double count = std::max(1.0, static_cast<double>(scores.tokens));
  scores.loss /= count, scores.accuracy /= count, scores.accuracy_at_5 /= count;
  return scores;
}

}  // namespace knnbert::inline v0_1
