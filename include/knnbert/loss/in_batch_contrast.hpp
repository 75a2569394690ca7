#pragma once
#include <vector>

#include "knnbert/core/matrix.hpp"
#include "knnbert/kernel/accumulate.hpp"
#include "knnbert/loss/concept.hpp"
#include "knnbert/loss/softmax.hpp"

namespace knnbert::inline v0_1 {

/// Contrast of the rows of a batch with each other: mean over rows that have a partner of
///   log sum over j != i of e^(U_ij) - mean over partners of U_ij,  U = z z^T / T, partners = other rows of equal
///   label.
/// Supervised contrast (SupCon, arXiv 2004.11362; SCL, arXiv 2011.01403) with class labels; NT-Xent with one label per
/// pair of views. Rows are used as given: normalize them first for cosine similarities.
/// Without any partner the value and the gradient are 0; count_valid tells.
/// Errors: ShapeError, OptionError.  Cost: 4 N^2 D flops, O(N^2) memory.
template <class Arch = DefaultArch>
struct BasicInBatchContrast {
  float temperature = 0.3f;

  /// Rows that have a partner.
  static index_t count_valid(std::span<const label_t> labels) {
    index_t valid = 0;
    for (const label_t label : labels) valid += std::count(labels.begin(), labels.end(), label) > 1;
    return valid;
  }

  float operator()(ConstView z,                      // [N, D]
                   std::span<const label_t> labels,  // [N]
                   View d_z) const {                 // [N, D]
    detail::require_labels("InBatchContrast", z, labels);
    require_shape("InBatchContrast: d_z", d_z, z.rows(), z.cols());
    if (!(temperature > 0))
      raise<OptionError>("InBatchContrast::temperature: {} given, a positive number expected", temperature);
    const auto valid = static_cast<double>(std::max<index_t>(count_valid(labels), 1));
    Matrix similarity(z.rows(), z.rows()), slope(z.rows(), z.rows());
    slope.fill(0);
    kernel::scores<Arch>(z, z, similarity);
    double total = 0;
    for (index_t i = 0; i < z.rows(); ++i) total += row(i, similarity.row(i), labels, valid, slope.row(i)) / valid;
    for (index_t i = 0; i < z.rows(); ++i)
      for (index_t j = 0; j <= i; ++j) slope(i, j) = slope(j, i) = slope(i, j) + slope(j, i);  // the diagonal is 0
    for (index_t i = 0; i < z.rows(); ++i) std::fill(d_z.row(i).begin(), d_z.row(i).end(), 0.0f);
    kernel::accumulate<Arch>(slope, z, d_z);
    return static_cast<float>(total);
  }

 private:
  /// slope_j = (softmax over j != i - [j partner] / partners) / (valid T)
  double row(index_t i, std::span<const float> similarity, std::span<const label_t> labels, double valid,
             std::span<float> slope) const {
    const auto self = static_cast<std::size_t>(i);
    const auto partners = static_cast<double>(std::count(labels.begin(), labels.end(), labels[self]) - 1);
    if (partners == 0) return 0;
    double largest = -std::numeric_limits<double>::infinity(), sum = 0, mean = 0;
    const auto u = [&](std::size_t j) { return static_cast<double>(similarity[j]) / temperature; };
    for (std::size_t j = 0; j < labels.size(); ++j)
      if (j != self) largest = std::max(largest, u(j));
    for (std::size_t j = 0; j < labels.size(); ++j)
      if (j != self) sum += std::exp(u(j) - largest);
    for (std::size_t j = 0; j < labels.size(); ++j) {
      if (j == self) continue;
      const bool partner = labels[j] == labels[self];
      if (partner) mean += u(j) / partners;
      slope[j] =
          static_cast<float>((std::exp(u(j) - largest) / sum - (partner ? 1 / partners : 0.0)) / (valid * temperature));
    }
    return largest + std::log(sum) - mean;
  }
};

using InBatchContrast = BasicInBatchContrast<>;

}  // namespace knnbert::inline v0_1
