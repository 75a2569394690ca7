#pragma once
#include <concepts>

#include "knnbert/core/error.hpp"
#include "knnbert/core/gradients.hpp"
#include "knnbert/core/parallel.hpp"

namespace knnbert::inline v0_1 {

/// Moves parameters against their gradients: step(values, gradients, rate, workers, multipliers). multipliers
/// scales the rate of each parameter of the table, 0 freezes it; empty means 1 for all. Deterministic: the same bits
/// for any number of workers. One with state has a member template archive(ar), which names it for saving and
/// restoring, as io/archive.hpp has it. Check yours with testing/optimizer_laws.hpp.
template <class O>
concept Optimizer = std::copyable<O> && requires(O& optimizer, ParameterBlock& values, Gradients& gradients, float rate,
                                                 const Workers& workers, std::span<const float> multipliers) {
  optimizer.step(values, gradients, rate, workers, multipliers);
};

/// An optimizer that a trainer makes by make(weight_decay): for parameters that decay, decoupled from the gradient.
/// Errors: OptionError for a decay that it does not know. Where it has no norm() and clipped_step() of its own,
/// ClippedOptimizer (clip.hpp) puts them before step().
template <class O>
concept TrainingOptimizer = Optimizer<O> && requires(float weight_decay) {
  { O::make(weight_decay) } -> std::same_as<O>;
};

/// One for a run. epsilon is Adam's, for those with make(weight_decay, epsilon).  Errors: OptionError, also for another
/// epsilon than 1e-8 where an optimizer has none.
template <TrainingOptimizer O>
O make_optimizer(float weight_decay, float epsilon) {
  if constexpr (requires { O::make(weight_decay, epsilon); }) {
    return O::make(weight_decay, epsilon);
  } else {
    if (epsilon != 1e-8f)
      raise<OptionError>("TrainerOptions::adam_epsilon: {} given, an optimizer with one expected", epsilon);
    return O::make(weight_decay);
  }
}

enum class ScheduleKind { constant, linear, cosine };
/// What a run tells the schedule of its learning rate.
struct ScheduleOptions {
  ScheduleKind kind = ScheduleKind::linear;
  index_t warmup = 0;  ///< updates with a rising rate
  index_t total = 1;   ///< all updates of the run
};

/// Factor of the learning rate after a number of finished updates, at least 0; schedule(0) holds for the first update.
template <class S>
concept Schedule = std::copyable<S> && requires(const S& schedule, index_t updates) {
  { schedule(updates) } -> std::convertible_to<double>;
};

/// A schedule that a trainer makes for a run.
template <class S>
concept TrainingSchedule = Schedule<S> && std::constructible_from<S, const ScheduleOptions&>;

}  // namespace knnbert::inline v0_1
