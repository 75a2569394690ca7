#pragma once
#include <optional>
#include <string_view>

#include "knnbert/core/deferred.hpp"
#include "knnbert/term/step_gradients.hpp"
#include "knnbert/text/label_kind.hpp"
#include "knnbert/text/targets.hpp"

namespace knnbert::inline v0_1 {

/// A step before any of its parts runs: what a term sees in begin_step().
template <class Model, class Data>
struct StepStart {
  const Model& model;
  const Data& data;
  StepClock clock;
  bool dropout;                       ///< whether this run drops units at all
  std::span<const index_t> examples;  // of the whole step
  std::span<const label_t> labels;    // of these; empty where the data have none
  std::span<const Range> ranges;      // of a block that may differ from the pretrained values
  float idle_weight = 0;              ///< weights of the terms that have nothing to say in this step, added by them;
                                      ///< the cross entropy takes them over, so that weights still sum to one
};

/// One part of a step after its forward pass: what a term sees in add(). A step that fits into memory has one part.
/// Embeddings, logits and their gradients are views, or where a backend keeps them on a device, rows that convert to
/// views when they are read or written in main memory.
template <class Model, class Data>
struct StepContext {
  using Rows = typename Model::rows_type;

  const Model& model;
  const Data& data;
  StepClock clock;
  std::optional<Rng> dropout;         ///< random numbers of the masks; none when the run drops nothing
  std::span<const index_t> examples;  // of this part
  const Targets& targets;             // of these
  index_t first_example;              ///< position of the first one in the step
  index_t step_examples;              ///< examples of the whole step: means divide by it
  float idle_weight;
  const typename Model::pass_type& pass;  ///< the clean pass: what it was given, embedding, logits, hidden
                                          ///< states, sums
  StepGradients<Model>& entering;         ///< its one backward pass: terms add to it
  Gradients& gradients;                   ///< of the model's parameters; terms add to them
  const ParameterBlock& own_values;       ///< parameters that terms declared
  Gradients& own_gradients;               ///< theirs; terms add to them

  std::span<const label_t> labels = targets.classes;       // [B]
  typename Rows::const_view embedding = pass.embedding();  // [B, H]
  typename Rows::const_view logits = pass.logits();        // [B, C]
  typename Rows::view d_embedding = entering.d_embedding;  // as in `entering`
  typename Rows::view d_logits = entering.d_logits;

  /// This part's share of a mean over the step.
  float share() const { return static_cast<float>(examples.size()) / static_cast<float>(step_examples); }
  /// How a pass over this part's texts gets the same masks as the clean one, or with other random numbers, others.
  ForwardOptions forward_options(Keep keep = Keep::all) const {
    return {.dropout = dropout, .first_example = first_example, .keep = keep};
  }
};

/// The weighted value of a term, or nothing when it was absent from the step.
using TermValue = std::optional<Deferred<float>>;

/// A training term is a small object with a name, a member `TermValue add(StepContext&)` that adds its gradient, and
/// any of these members, called where they exist:
///   join(team)                    once, first: the processes that train together, distributed/team.hpp. add() is
///                                 called for the examples of this process; the other members see the whole step on
///                                 every process and may divide what they encode
///   declare(model, table)         once: parameters of its own, such as a head, which the stepper clears, sums over
///                                 processes, clips with the model's by one norm, moves at the heads' rate and archives
///   initialize(own_values, rng)   once: their first values
///   prepare(model, data)          once: check options, allocate
///   start(model, data)            before the first step of a run that is not resumed
///   begin_step(StepStart&)        before the parts of a step
///   before_update(model, gradients)  when the step's gradients are complete, before they are clipped
///   after_update(model, ranges)   after the optimizer changed the parameters
///   measure(sink)                 sink(name, value) for numbers worth a curve
///   operations()                  floating-point operations of begin_step()'s encodings, for profiles
///   archive(ar)                   the state that a resumed run needs, as name and value
///   identity(sink)                sink(name, value) for the settings that a resumed run must agree with
///   values_to_evaluate()          const ParameterBlock*: values, such as an average, that dev data, the datastore and
///                                 the saved model get in place of the model's; null: none. At most one term of a
///                                 trainer has it
/// A static member `whole_batch = true` says that it compares examples of a step: steps are not cut into parts, and
/// every process calls its add() once a step, perhaps with no rows.
/// A static member `serves(task)` says of which tasks it reads the targets; without one, of all.
/// A std::optional of a term is a term that may be absent: an empty one changes nothing and is not spoken of.
/// A term whose type depends on the model has a member template `bound<Model>` in place of these, the type that is
/// constructed from it and trains: QueueContrastive takes the queue of the model's stack so.
/// Terms compose at compile time: Trainer(model, options, CrossEntropy{}, QueueContrastive{}).
template <class T, class Context>
concept Term = std::copy_constructible<T> && requires(T& term, Context& context) {
  { T::name } -> std::convertible_to<std::string_view>;
  { term.add(context) } -> std::same_as<TermValue>;
};

namespace detail {

template <class T, class Model>
struct BoundTerm {
  using type = T;
};
template <class T, class Model>
  requires requires { typename T::template bound<Model>; }
struct BoundTerm<T, Model> {
  using type = typename T::template bound<Model>;
};
template <class T, class Model>
struct BoundTerm<std::optional<T>, Model> {
  using type = std::optional<typename BoundTerm<T, Model>::type>;
};

template <class T>
struct PresentTerm {
  using type = T;
};
template <class T>
struct PresentTerm<std::optional<T>> {
  using type = T;
};

/// f(term), unless it is an empty optional.
template <class T, class F>
void if_present(T& term, F&& f) {
  f(term);
}
template <class T, class F>
void if_present(std::optional<T>& term, F&& f) {
  if (term) f(*term);
}
template <class T, class F>
void if_present(const std::optional<T>& term, F&& f) {
  if (term) f(*term);
}

}  // namespace detail

/// The type that a term has in the training of a model.
template <class T, class Model>
using bound_term = typename detail::BoundTerm<T, Model>::type;

/// A term, or what an optional one is when it is there.
template <class T>
using present_term = typename detail::PresentTerm<std::remove_cvref_t<T>>::type;

/// Terms that compare the examples of a step.
template <class T>
concept WholeBatchTerm = present_term<T>::whole_batch;

}  // namespace knnbert::inline v0_1
