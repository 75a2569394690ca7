#pragma once
#include "knnbert/optimizer/schedule.hpp"
#include "knnbert/train/training_run.hpp"

namespace knnbert::inline v0_1 {

/// Fine-tunes a classifier under any training terms:
///   Trainer(model, {.epochs = 3}, CrossEntropy{0.9f}, QueueContrastive({.weight = 0.1f})).fit(train);
/// Afterwards fill the datastore with model.index(train).  Memory: O(batch + queue + data), flat over the run.
/// The same data, options and seed give the same bits for any number of threads, and across interruptions. Processes
/// that train as a team give the results of one process but for the rounding of sums; each needs the same data and
/// options.
template <class Stack, class... Terms>
class Trainer {
 public:
  static_assert(TrainingSchedule<typename Stack::schedule_type>,
                "Stack::schedule_type: a TrainingSchedule expected, as optimizer/concept.hpp says");
  static_assert((std::copy_constructible<Terms> && ...),
                "Trainer: a Term expected that can be copied, as term/context.hpp says");

  /// Errors: OptionError.
  Trainer(Classifier<Stack>& model, const TrainerOptions& options, Terms... terms);
  Trainer(const Trainer&) = default;
  Trainer(Trainer&&) = default;
  ~Trainer();

  /// Trains on data and, with dev data, keeps the parameters of the best epoch.
  /// Errors: FormatError for a class the model does not have; IoError, FormatError for checkpoints; OtherRunError when
  /// a run is to be resumed and only checkpoints of others are there.
  FitReport fit(const Dataset& train);
  FitReport fit(const Dataset& train, const Dataset& dev);
  /// With a team, all processes call it and end with the same model; the first one reads and writes checkpoints.
  /// Observers of all processes hear the same; one that asks to stop stops all.  Errors: also CommunicationError.
  template <class O>
  FitReport fit(const Dataset& train, const Dataset& dev, O&& observer, const Team& team = {}) {
    static_assert(Observer<std::remove_reference_t<O>>,
                  "Trainer::fit: an Observer expected, as train/report.hpp says: step, epoch and stop_requested");
    ObserverReference any(observer);
    return run(train, dev, any, team);
  }

  /// The identity that fit() with these data would have.
  RunIdentity identity(const Dataset& train, const Dataset& dev = {}) const;

  /// A term as the last fit() left it, for example the queue of keys.
  template <class T>
  const bound_term<T, Network<Stack>>& term() const {
    return std::get<bound_term<T, Network<Stack>>>(*terms_);
  }
  /// The parameters that terms declared, such as their heads, as the last fit() left them.
  const ParameterBlock& own_values() const { return own_values_; }

 private:
  FitReport run(const Dataset& train, const Dataset& dev, AnyObserver& observer, const Team& team);

  Classifier<Stack>& model_;
  TrainerOptions options_;
  std::optional<std::tuple<bound_term<Terms, Network<Stack>>...>> terms_;  // always there; terms need no assignment
  ParameterBlock own_values_;
};

template <class Stack, class... Terms>
Trainer(Classifier<Stack>&, const TrainerOptions&, Terms...) -> Trainer<Stack, Terms...>;

template <class Stack, class... Terms>
Trainer<Stack, Terms...>::Trainer(Classifier<Stack>& model, const TrainerOptions& options, Terms... terms)
    : model_(model), options_(options), terms_(std::in_place, bound_term<Terms, Network<Stack>>(std::move(terms))...) {
  options_.validate();
}

template <class Stack, class... Terms>
Trainer<Stack, Terms...>::~Trainer() = default;

template <class Stack, class... Terms>
FitReport Trainer<Stack, Terms...>::fit(const Dataset& train) {
  return fit(train, Dataset());
}

template <class Stack, class... Terms>
FitReport Trainer<Stack, Terms...>::fit(const Dataset& train, const Dataset& dev) {
  return fit(train, dev, SilentObserver{});
}

template <class Stack, class... Terms>
FitReport Trainer<Stack, Terms...>::run(const Dataset& train, const Dataset& dev, AnyObserver& observer,
                                        const Team& team) {
  const auto with_terms = [&](auto... terms) {
    TrainingRun own(model_, options_, train, dev, team, std::move(terms)...);
    const FitReport report = own.finish(observer);
    terms_.emplace(std::move(own.terms()));
    own_values_ = own.own_values();
    return report;
  };
  return std::apply(with_terms, *terms_);
}

template <class Stack, class... Terms>
RunIdentity Trainer<Stack, Terms...>::identity(const Dataset& train, const Dataset& dev) const {
  const Dataset own = train.with_classes(*model_.classes()), own_dev = dev_of(model_, dev);
  return identity_of_run(model_, options_, *terms_, model_.tokenize(own), own,
                         model_.tokenize(own_dev.texts(), own_dev.pairs()), own_dev);
}

}  // namespace knnbert::inline v0_1
