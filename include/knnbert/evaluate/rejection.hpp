#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "knnbert/evaluate/correlation.hpp"

/// Telling texts out of scope by a score that is larger for them: how well it separates, and where to cut.
namespace knnbert::inline v0_1 {

namespace detail {

inline void require_scores(std::string_view where, std::span<const float> scores) {
  for (std::size_t i = 0; i < scores.size(); ++i)
    if (std::isnan(scores[i])) raise<Error>("{}: score {} is NaN, a number expected", where, i);
}

/// The rank of a fraction of n values, rounded up, but not for what rounding put above a whole number.
inline index_t rank_of(double fraction, double n) {
  return static_cast<index_t>(std::ceil(fraction * n * (1 - 1e-12)));
}

inline float nth_smallest(std::span<const float> values, index_t rank) {
  std::vector<float> sorted(values.begin(), values.end());
  std::nth_element(sorted.begin(), sorted.begin() + (rank - 1), sorted.end());
  return sorted[static_cast<std::size_t>(rank - 1)];
}

}  // namespace detail

/// The chance that a text out of scope has a larger score than one in scope, a tie counting half: the area under the
/// ROC curve. Undefined without either.  Errors: Error for a NaN.  Cost: O(N log N).
inline Ratio auroc(std::span<const float> in_scope, std::span<const float> out_of_scope) {
  detail::require_scores("auroc", in_scope);
  detail::require_scores("auroc", out_of_scope);
  std::vector<double> all(out_of_scope.begin(), out_of_scope.end());
  all.insert(all.end(), in_scope.begin(), in_scope.end());
  const auto ranks = average_ranks(all);
  const auto m = static_cast<double>(out_of_scope.size()), n = static_cast<double>(in_scope.size());
  double sum = 0;
  for (std::size_t i = 0; i < out_of_scope.size(); ++i) sum += ranks[i];
  return ratio(sum - m * (m + 1) / 2, m * n);
}

/// The share of texts out of scope that the smallest threshold accepts which accepts `coverage` of those in scope: with
/// 0.95 the "FPR at 95 % TPR" of the literature. Undefined without either.  Errors: Error for a NaN; OptionError unless
/// coverage is in (0, 1].
inline Ratio accepted_out_of_scope(std::span<const float> in_scope, std::span<const float> out_of_scope,
                                   double coverage = 0.95) {
  if (!(coverage > 0 && coverage <= 1))
    raise<OptionError>("accepted_out_of_scope: coverage {} given, more than 0 and at most 1 expected", coverage);
  detail::require_scores("accepted_out_of_scope", in_scope);
  detail::require_scores("accepted_out_of_scope", out_of_scope);
  if (in_scope.empty()) return {};
  const float threshold =
      detail::nth_smallest(in_scope, detail::rank_of(coverage, static_cast<double>(in_scope.size())));
  const auto accepted =
      std::count_if(out_of_scope.begin(), out_of_scope.end(), [&](float s) { return s <= threshold; });
  return ratio(static_cast<double>(accepted), static_cast<double>(out_of_scope.size()));
}

/// How many held-out texts conformal_threshold() needs at least: coverage / (1 - coverage).  Errors: OptionError unless
/// coverage is in (0, 1).
inline index_t held_out_needed(double coverage) {
  if (!(coverage > 0 && coverage < 1))
    raise<OptionError>("CalibrationOptions::coverage: {} given, more than 0 and less than 1 expected", coverage);
  return detail::rank_of(coverage / (1 - coverage), 1);
}

/// The threshold of split conformal prediction: the ceil((n + 1) coverage)-th smallest of n scores of held-out texts in
/// scope; a text is accepted if its score is not larger. Let a new text in scope be exchangeable with the held-out ones
/// (such as drawn independently from the same source), and the scoring fixed without looking at any of them. Then the
/// chance that the new text is accepted, over the draw of all n + 1, is at least `coverage`, and without ties at most
/// coverage + 1 / (n + 1). It says nothing about texts of one class, nor about one given set of held-out texts: given
/// them, the share of texts that is accepted varies around it by about sqrt(coverage (1 - coverage) / n).
/// Source: Vovk et al. 2005; Angelopoulos and Bates, arXiv 2107.07511, sections 1 and 3.2.
/// Errors: Error for a score that is not finite; OptionError unless coverage is in (0, 1); ShapeError for too few
/// scores.
inline float conformal_threshold(std::span<const float> scores, double coverage) {
  const index_t needed = held_out_needed(coverage);
  if (std::ssize(scores) < needed)
    raise<ShapeError>("conformal_threshold: {} held-out texts given, at least {} expected for a coverage of {}",
                      scores.size(), needed, coverage);
  for (std::size_t i = 0; i < scores.size(); ++i)
    if (!std::isfinite(scores[i]))
      raise<Error>("conformal_threshold: score {} is {}, a finite number expected", i, scores[i]);
  return detail::nth_smallest(scores, detail::rank_of(coverage, static_cast<double>(scores.size() + 1)));
}

}  // namespace knnbert::inline v0_1
