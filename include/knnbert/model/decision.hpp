#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "knnbert/core/error.hpp"
#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// How far a text is from what a classifier knows. Larger is further out of scope: the only direction in this library.
enum class ScopeScore {
  neighbors,        ///< minus the similarity of the nearest example.  After Sun et al. 2022, arXiv 2204.06507
  class_mean,       ///< minus the similarity to the nearest mean of a class' examples
  max_probability,  ///< 1 minus the largest combined probability, before the temperature.  arXiv 1610.02136
  energy            ///< minus log sum_c e^logit_c of the head.  Liu et al. 2020, arXiv 2010.03759
};

inline constexpr std::pair<ScopeScore, const char*> scope_score_names[] = {
    {ScopeScore::neighbors, "neighbors"},
    {ScopeScore::class_mean, "class-mean"},
    {ScopeScore::max_probability, "max-probability"},
    {ScopeScore::energy, "energy"}};

/// Whether a score compares a text with the datastore's examples and says nothing without any.
inline bool is_of_examples(ScopeScore score) {
  return score == ScopeScore::neighbors || score == ScopeScore::class_mean;
}

inline std::string_view name_of(ScopeScore score) { return scope_score_names[static_cast<int>(score)].second; }

/// Texts whose score is larger than the threshold are rejected.
struct RejectionRule {
  ScopeScore score = ScopeScore::neighbors;
  float threshold = 0;
  float coverage = 0;    ///< what share of texts in scope the threshold promises to accept, see conformal_threshold()
  index_t held_out = 0;  ///< number of texts that it was chosen on

  bool rejects(float value) const { return !(value <= threshold); }
};

/// What a classifier makes of the combined distribution; calibrate() chooses it on held-out texts.
struct Decision {
  float temperature = 1;  ///< the combined distribution becomes softmax(log p / T)
  std::optional<RejectionRule> rejection = {};

  /// The rule for a datastore of so many examples: one of examples rejects nothing where there are none.
  std::optional<RejectionRule> rule(index_t examples) const {
    return rejection && examples == 0 && is_of_examples(rejection->score) ? std::nullopt : rejection;
  }
};

/// Why a text was rejected.
struct Rejection {
  ScopeScore score;
  float value;
  float threshold;
};

namespace detail {

/// log p [C], where p is at least 2^-23: a vote by count gives exact zeros.
inline void log_probabilities(std::span<const float> p, std::span<float> logs) {
  for (std::size_t c = 0; c < p.size(); ++c) logs[c] = std::log(std::max(p[c], std::numeric_limits<float>::epsilon()));
}

/// Overwrites a distribution [C] by softmax(log p / T); with T = 1 it stays as it is.  Errors: OptionError.
inline void temper(float temperature, std::span<float> p) {
  if (!(temperature > 0 && temperature <= std::numeric_limits<float>::max()))
    raise<OptionError>("Decision::temperature: {} given, a positive number expected", temperature);
  if (temperature == 1) return;
  log_probabilities(p, p);
  const double top = *std::max_element(p.begin(), p.end());  // so that not all powers vanish
  const auto power = [&](float log) { return std::exp((log - top) / temperature); };
  double sum = 0;
  for (const float log : p) sum += power(log);
  for (float& log : p) log = static_cast<float>(power(log) / sum);
}

inline float energy_score(std::span<const float> logits) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float a : logits) sum += std::exp(a - top);
  return static_cast<float>(-(top + std::log(sum)));
}

}  // namespace detail
}  // namespace knnbert::inline v0_1
