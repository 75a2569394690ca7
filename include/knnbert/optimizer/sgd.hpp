#pragma once
#include "knnbert/io/archive.hpp"
#include "knnbert/kernel/update.hpp"
#include "knnbert/optimizer/concept.hpp"
#include "knnbert/optimizer/moments.hpp"
#include "knnbert/optimizer/sweep.hpp"

namespace knnbert::inline v0_1 {

struct SgdOptions {
  float momentum = 0;
};

/// Stochastic gradient descent: velocity = momentum * velocity + gradient; parameter -= rate * velocity.
/// A run that continues from an archive must also restore Gradients::archive_rows.
template <class Arch = DefaultArch>
class BasicSgd {
 public:
  /// Errors: OptionError.
  explicit BasicSgd(const SgdOptions& options = {}) : options_(options) {
    if (!(options.momentum >= 0 && options.momentum < 1))
      raise<OptionError>("SgdOptions::momentum: {} given, [0, 1) expected", options.momentum);
  }

  /// Errors: OptionError for any decay.
  static BasicSgd make(float weight_decay) {
    if (weight_decay != 0) raise<OptionError>("Sgd: a weight decay of {} given, 0 expected", weight_decay);
    return BasicSgd();
  }

  const SgdOptions& options() const { return options_; }

  /// Errors: ShapeError; then nothing changed.
  void step(ParameterBlock& values, Gradients& gradients, float rate, const Workers& workers = Workers(),
            std::span<const float> multipliers = {}) {
    detail::require_step("Sgd::step", values, gradients, multipliers);
    velocity_.require("Sgd::step", values.size());
    float* const p = values.data();
    const float* const g = std::as_const(gradients).data();
    detail::sweep(gradients.ranges(), workers, [&](std::size_t, Range range) {
      detail::for_each_parameter(values.table(), range, [&](index_t number, Range part) {
        const float factor = detail::multiplier(multipliers, number);
        if (factor == 0) return;  // frozen
        const index_t at = part.begin;
        kernel::momentum_update<Arch>(p + at, g + at, velocity_.data() + at, part.end - at, options_.momentum,
                                      rate * factor);
      });
    });
  }

  template <class Archive>
  void archive(Archive& ar) {
    if constexpr (WritesOnly<Archive>) ar("velocity", velocity_.floats());
    else velocity_ = velocity_.exchanged(ar, "velocity");
  }

 private:
  SgdOptions options_;
  detail::Moments velocity_;
};

using Sgd = BasicSgd<>;
static_assert(TrainingOptimizer<Sgd>);

}  // namespace knnbert::inline v0_1
