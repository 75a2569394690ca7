#pragma once
#include <cmath>
#include <utility>
#include <vector>

#include "knnbert/kernel/update.hpp"
#include "knnbert/optimizer/sweep.hpp"

namespace knnbert::inline v0_1 {

/// Euclidean norm of all gradients. The same bits for any number of workers. squares: scratch.
template <class Arch = DefaultArch>
double global_norm(Gradients& gradients, const Workers& workers, std::vector<double>& squares) {
  const auto& ranges = gradients.ranges();
  squares.resize(ranges.size());
  const float* g = std::as_const(gradients).data();
  detail::sweep(ranges, workers, [&](std::size_t i, Range r) {
    squares[i] = kernel::sum_of_squares<Arch>(g + r.begin, r.end - r.begin);
  });
  double total = 0;
  for (const double part : squares) total += part;
  return std::sqrt(total);
}

/// max_norm / (norm + 1e-6) where the norm exceeds max_norm > 0, else 1; a norm that is not finite clips nothing: skip
/// the step.
inline float clip_factor(double norm, double max_norm) {
  if (!std::isfinite(norm) || !(max_norm > 0) || norm <= max_norm) return 1;
  return std::min(1.0f, static_cast<float>(max_norm / (norm + 1e-6)));
}

/// Scales all gradients to a common norm of at most max_norm; returns the norm before. AdamW::clipped_step does so on
/// its way.
template <class Arch = DefaultArch>
double clip_global_norm(Gradients& gradients, double max_norm, const Workers& workers = Workers()) {
  std::vector<double> squares;
  const double norm = global_norm<Arch>(gradients, workers, squares);
  const float factor = clip_factor(norm, max_norm);
  if (factor == 1) return norm;
  float* g = gradients.data();
  detail::sweep(gradients.ranges(), workers,
                [&](std::size_t, Range r) { kernel::scale<Arch>(g + r.begin, r.end - r.begin, factor); });
  return norm;
}

/// An optimizer with the members of AdamW that clip: here the gradients are scaled before its step().
template <class O, class Arch = DefaultArch>
class ClippedOptimizer : public O {
 public:
  explicit ClippedOptimizer(O own) : O(std::move(own)) {}

  double norm(const ParameterBlock&, Gradients& gradients, const Workers& workers) {
    return global_norm<Arch>(gradients, workers, squares_);
  }

  void clipped_step(double norm, ParameterBlock& values, Gradients& gradients, double max_norm, float rate,
                    const Workers& workers, std::span<const float> multipliers, bool finite) {
    if (!finite || !std::isfinite(norm)) return;
    if (const float factor = clip_factor(norm, max_norm); factor != 1) {
      float* g = gradients.data();
      detail::sweep(gradients.ranges(), workers,
                    [&](std::size_t, Range r) { kernel::scale<Arch>(g + r.begin, r.end - r.begin, factor); });
    }
    this->step(values, gradients, rate, workers, multipliers);
  }
  static double joint_norm(double a, double b) { return std::hypot(a, b); }
  static double read_norm(double norm) { return norm; }

 private:
  std::vector<double> squares_;  // scratch
};

namespace detail {

template <class O>
struct Clipping {
  using type = ClippedOptimizer<O>;
};
template <class O>
  requires requires(O& optimizer, const ParameterBlock& values, Gradients& gradients, const Workers& workers) {
    optimizer.norm(values, gradients, workers);
  }
struct Clipping<O> {
  using type = O;
};

}  // namespace detail

/// An optimizer that clips: O itself where it does.
template <class O>
using clipping_optimizer = typename detail::Clipping<O>::type;

}  // namespace knnbert::inline v0_1
