#pragma once
#include <concepts>

#include "knnbert/core/gradients.hpp"
#include "knnbert/core/parallel.hpp"

namespace knnbert {

/// Moves parameters against their gradients: step(values, gradients, rate, workers, multipliers). multipliers
/// scales the rate of each parameter of the table, 0 freezes it; empty means 1 for all. Deterministic: the same bits
/// for any number of workers. archive(ar) names the state for saving and restoring. Check yours with
/// testing/optimizer_laws.hpp.
template <class O>
concept Optimizer = std::copyable<O> &&
    requires(O& optimizer, ParameterBlock& values, Gradients& gradients, float rate, const Workers& workers,
             std::span<const float> multipliers) {
  optimizer.step(values, gradients, rate, workers, multipliers);
};

/// Factor of the learning rate after a number of finished updates, at least 0; schedule(0) holds for the first update.
template <class S>
concept Schedule = std::copyable<S> && requires(const S& schedule, index_t updates) {
  { schedule(updates) } -> std::convertible_to<double>;
};

}  // namespace knnbert
