#pragma once
#include <cmath>

#include "knnbert/kernel/update.hpp"
#include "knnbert/optimizer/sweep.hpp"

namespace knnbert {

/// Scales all gradients by max_norm / (norm + 1e-6) if their common Euclidean norm exceeds max_norm > 0; returns the
/// norm before. A norm that is not finite leaves the gradients alone: skip the step. The same bits for any number of
/// workers.
template <class Arch = DefaultArch>
double clip_global_norm(Gradients& gradients, double max_norm, const Workers& workers = Workers()) {
  const auto ranges = gradients.ranges();
  std::vector<double> squares(ranges.size());
  float* g = gradients.data();
  detail::sweep(ranges, workers, [&](std::size_t i, Range r) {
    squares[i] = kernel::sum_of_squares<Arch>(g + r.begin, r.end - r.begin);
  });
  double total = 0;
  for (const double part : squares) total += part;
  const double norm = std::sqrt(total);
  if (!std::isfinite(norm) || !(max_norm > 0) || norm <= max_norm) return norm;
  const auto factor = static_cast<float>(max_norm / (norm + 1e-6));
  if (factor >= 1) return norm;
  detail::sweep(ranges, workers,
                [&](std::size_t, Range r) { kernel::scale<Arch>(g + r.begin, r.end - r.begin, factor); });
  return norm;
}

}  // namespace knnbert
