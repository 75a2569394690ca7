#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "knnbert/core/view.hpp"
#include "knnbert/evaluate/metrics.hpp"

namespace knnbert::inline v0_1 {

/// Predictions whose confidence, the largest probability of the row, lies in (lower, upper].
struct ReliabilityBin {
  double lower = 0, upper = 0;
  index_t count = 0;
  double confidence = 0;  ///< mean over the bin, 0 if it is empty
  double accuracy = 0;    ///< share of correct predictions, 0 if it is empty
};

/// How far probabilities can be trusted.
struct Calibration {
  Ratio expected_error;              ///< sum over bins of count/N |accuracy - confidence|; range [0, 1]
  Ratio brier;                       ///< mean of sum_c (p_c - 1[c = gold])^2; range [0, 2]
  Ratio negative_log_likelihood;     ///< mean of -log p_gold, in nats
  index_t floored = 0;               ///< examples whose p_gold was raised to calibration_floor
  std::vector<ReliabilityBin> bins;  ///< equally wide, ascending
};

/// Smallest probability that enters a logarithm: a vote by count gives exact zeros, whose loss would be infinite.
inline constexpr double calibration_floor = std::numeric_limits<float>::epsilon();

namespace detail {

inline void require_distribution(std::string_view where, std::span<const float> row, index_t number) {
  double sum = 0;
  for (const float p : row) {
    if (!(p >= -1e-6f && p <= 1.001f)) raise<Error>("{}: row {} holds {}, a probability expected", where, number, p);
    sum += p;
  }
  if (std::abs(sum - 1) > 1e-3) raise<Error>("{}: row {} sums to {}, 1 expected", where, number, sum);
}

inline void require_distributions(std::string_view where, ConstView probabilities, std::span<const label_t> gold) {
  if (probabilities.rows() != std::ssize(gold))
    raise<ShapeError>("{}: {} rows of probabilities but {} labels", where, probabilities.rows(), gold.size());
  for (index_t i = 0; i < probabilities.rows(); ++i) {
    const label_t label = gold[static_cast<std::size_t>(i)];
    if (label < 0 || label >= probabilities.cols())
      raise<ShapeError>("{}: label {} given, labels in [0, {}) expected", where, label, probabilities.cols());
    require_distribution(where, probabilities.row(i), i);
  }
}

}  // namespace detail

/// The accuracy that predictions of each level of confidence reach. Guo et al. 2017, section 2.
/// Shapes: probabilities [N, C], gold [N].  Errors: ShapeError; OptionError if bins < 1; Error if not distributions.
inline std::vector<ReliabilityBin> reliability_curve(ConstView probabilities, std::span<const label_t> gold,
                                                     index_t bins = 15) {
  if (bins < 1) raise<OptionError>("reliability_curve: {} bins given, at least 1 expected", bins);
  detail::require_distributions("reliability_curve", probabilities, gold);
  std::vector<ReliabilityBin> curve(static_cast<std::size_t>(bins));
  const auto width = static_cast<double>(bins);
  for (index_t b = 0; b < bins; ++b)
    curve[as_size(b)].lower = static_cast<double>(b) / width,
    curve[as_size(b)].upper = static_cast<double>(b + 1) / width;
  for (index_t i = 0; i < probabilities.rows(); ++i) {
    const label_t predicted = argmax(probabilities.row(i));
    const double confidence = probabilities(i, predicted);
    auto& bin =
        curve[as_size(std::clamp(static_cast<index_t>(std::ceil(confidence * width)) - 1, index_t{0}, bins - 1))];
    ++bin.count;
    bin.confidence += confidence;
    bin.accuracy += predicted == gold[static_cast<std::size_t>(i)];
  }
  for (auto& bin : curve)
    if (bin.count) bin.confidence /= static_cast<double>(bin.count), bin.accuracy /= static_cast<double>(bin.count);
  return curve;
}

/// Expected calibration error of a reliability curve.
inline Ratio expected_calibration_error(std::span<const ReliabilityBin> curve) {
  double sum = 0, total = 0;
  for (const auto& bin : curve) {
    sum += static_cast<double>(bin.count) * std::abs(bin.accuracy - bin.confidence);
    total += static_cast<double>(bin.count);
  }
  return ratio(sum, total);
}

/// All of Calibration in one pass over the rows.  Shapes and errors as reliability_curve.
inline Calibration measure_calibration(ConstView probabilities, std::span<const label_t> gold, index_t bins = 15) {
  Calibration result;
  result.bins = reliability_curve(probabilities, gold, bins);
  result.expected_error = expected_calibration_error(result.bins);
  double squares = 0, logs = 0;
  for (index_t i = 0; i < probabilities.rows(); ++i) {
    const label_t label = gold[static_cast<std::size_t>(i)];
    const double p_gold = probabilities(i, label);
    for (const float p : probabilities.row(i)) squares += static_cast<double>(p) * p;
    squares += 1 - 2 * p_gold;
    logs -= std::log(std::max(p_gold, calibration_floor));
    result.floored += p_gold < calibration_floor;
  }
  const auto n = static_cast<double>(gold.size());
  result.brier = ratio(squares, n);
  result.negative_log_likelihood = ratio(logs, n);
  return result;
}

}  // namespace knnbert::inline v0_1
