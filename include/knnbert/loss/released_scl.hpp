#pragma once
#include <cmath>
#include <vector>

#include "knnbert/core/matrix.hpp"
#include "knnbert/kernel/accumulate.hpp"
#include "knnbert/loss/concept.hpp"

namespace knnbert::inline v0_1 {

/// The loss that KNN-BERT's released code calls supervised contrastive, kept to reproduce its baseline:
///   (1 / M) sum over i of Y_i / Z_i,  e_ij = e^(<a_i, a_j> / T), Y_i = sum of e_ij over equal labels (i included),
///   Z_i = sum over other labels + 1e-12, M = number of ordered pairs of equal labels (i included).
/// It lacks the logarithm and the sign: minimizing it pushes equal labels apart. Use InBatchContrast instead.
/// Large logits make it overflow: the value is then not finite. A batch of one class gives 0.
/// Errors: ShapeError, OptionError.  Cost: O(N^2 C).
template <class Arch = DefaultArch>
struct BasicReleasedSclLoss {
  float temperature = 0.3f;

  float operator()(ConstView a,                      // [N, C]
                   std::span<const label_t> labels,  // [N]
                   View d_a) const {                 // [N, C]
    detail::require_labels("ReleasedSclLoss", a, labels);
    require_shape("ReleasedSclLoss: d_a", d_a, a.rows(), a.cols());
    if (!(temperature > 0))
      raise<OptionError>("ReleasedSclLoss::temperature: {} given, a positive number expected", temperature);
    double pairs = 0;
    for (const label_t label : labels) pairs += static_cast<double>(std::count(labels.begin(), labels.end(), label));
    Matrix similarity(a.rows(), a.rows()), slope(a.rows(), a.rows());
    slope.fill(0);
    kernel::scores<Arch>(a, a, similarity);
    double total = 0;
    for (index_t i = 0; i < a.rows(); ++i) total += row(i, similarity.row(i), labels, pairs, slope.row(i));
    for (index_t i = 0; i < a.rows(); ++i)
      for (index_t j = 0; j <= i; ++j) slope(i, j) = slope(j, i) = slope(i, j) + slope(j, i);
    for (index_t i = 0; i < a.rows(); ++i) std::fill(d_a.row(i).begin(), d_a.row(i).end(), 0.0f);
    kernel::accumulate<Arch>(slope, a, d_a);
    return static_cast<float>(total / pairs);
  }

 private:
  double row(index_t i, std::span<const float> similarity, std::span<const label_t> labels, double pairs,
             std::span<float> slope) const {
    const label_t own = labels[static_cast<std::size_t>(i)];
    double equal = 0, other = 1e-12;
    bool alone = true;
    const auto e = [&](std::size_t j) { return std::exp(static_cast<double>(similarity[j]) / temperature); };
    for (std::size_t j = 0; j < labels.size(); ++j) {
      (labels[j] == own ? equal : other) += e(j);
      alone = alone && labels[j] == own;
    }
    if (alone) return 0;
    for (std::size_t j = 0; j < labels.size(); ++j)
      slope[j] =
          static_cast<float>(e(j) * (labels[j] == own ? 1 / other : -equal / (other * other)) / (pairs * temperature));
    return equal / other;
  }
};

using ReleasedSclLoss = BasicReleasedSclLoss<>;

}  // namespace knnbert::inline v0_1
