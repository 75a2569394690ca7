#pragma once
#include <optional>
#include <string_view>

#include "knnbert/core/deferred.hpp"
#include "knnbert/core/gradients.hpp"
#include "knnbert/core/rng.hpp"

namespace knnbert {

/// Where a run stands; with the seed it determines every random number.
struct StepClock {
  std::uint64_t seed = 42, epoch = 0, step = 0;
  Rng rng(Stream stream) const { return Rng(seed, stream, epoch, step); }
};

/// A step before any of its parts runs: what a term sees in begin_step().
template <class Model, class Data>
struct StepStart {
  const Model& model;
  const Data& data;
  StepClock clock;
  bool dropout;                       ///< whether this run drops units at all
  std::span<const index_t> examples;  // of the whole step
  std::span<const label_t> labels;    // of these
  std::span<const Range> ranges;      // of a block that may differ from the pretrained values
  float idle_weight = 0;              ///< weights of the terms that have nothing to say in this step, added by them;
                                      ///< the cross entropy takes them over, so that weights still sum to one
};

/// One part of a step after its forward pass: what a term sees in add(). A step that fits into memory has one part.
/// Embeddings, logits and their gradients are views, or where a backend keeps them on a device, rows that convert to views when
/// they are read or written in main memory.
template <class Model, class Data>
struct StepContext {
  using Rows = typename Model::rows_type;

  const Model& model;
  const Data& data;
  StepClock clock;
  std::optional<Rng> dropout;         ///< random numbers of the masks; none when the run drops nothing
  std::span<const index_t> examples;  // of this part
  std::span<const label_t> labels;
  index_t first_example;              ///< position of the first one in the step
  index_t step_examples;              ///< examples of the whole step: means divide by it
  float idle_weight;
  typename Rows::const_view embedding, logits;  // [B, H], [B, C]
  typename Rows::view d_embedding, d_logits;    // terms add to them
  Gradients& gradients;               // of the model's parameters; terms add to them

  /// This part's share of a mean over the step.
  float share() const { return static_cast<float>(labels.size()) / static_cast<float>(step_examples); }
};

/// The weighted value of a term, or nothing when it was absent from the step.
using TermValue = std::optional<Deferred<float>>;

/// A training term is a small object with a name, a member `TermValue add(StepContext&)` that adds its gradient, and any
/// of these members, called where they exist:
///   join(team)                    once, first: the processes that train together, distributed/team.hpp. add() is called for
///                                 the examples of this process; the other members see the whole step on every process
///                                 and may share out what they encode
///   prepare(model, data)          once: check options, allocate
///   start(model, data)            before the first step of a run that is not resumed
///   begin_step(StepStart&)        before the parts of a step
///   after_update(model, ranges)   after the optimizer changed the parameters
///   measure(sink)                 sink(name, value) for numbers worth a curve
///   operations()                  floating-point operations of begin_step()'s encodings, for profiles
///   archive(ar)                   the state that a resumed run needs, as name and value
///   identity(sink)                sink(name, value) for the settings that a resumed run must agree with
/// Terms compose at compile time: Trainer(model, options, CrossEntropy{}, QueueContrastive{}).
template <class T, class Context>
concept Term = requires(T& term, Context& context) {
  { T::name } -> std::convertible_to<std::string_view>;
  { term.add(context) } -> std::same_as<TermValue>;
};

}  // namespace knnbert
