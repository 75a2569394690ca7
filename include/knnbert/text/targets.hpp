#pragma once
#include <vector>

#include "knnbert/core/matrix.hpp"
#include "knnbert/core/step_clock.hpp"
#include "knnbert/text/batch.hpp"

namespace knnbert::inline v0_1 {

/// What the examples of a batch should give: a class each, or values, or what a data source and its terms agree on.
struct Targets {
  std::vector<label_t> classes;  // [B], or empty
  Matrix values;                 // [B, C], or empty
};

/// What a training step reads: size() examples, of which assign(examples, clock, batch, targets) overwrites batch and
/// targets with the chosen ones. Called once for each part of a step; the result is a function of its arguments, so
/// that a run can be repeated. TrainingData is one, masked texts another.
template <class D>
concept DataSource = requires(const D& data, std::span<const index_t> examples, const StepClock& clock, Batch& batch,
                              Targets& targets) {
  { data.size() } -> std::convertible_to<index_t>;
  data.assign(examples, clock, batch, targets);
};

}  // namespace knnbert::inline v0_1
