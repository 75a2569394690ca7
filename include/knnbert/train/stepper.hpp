#pragma once
#include <tuple>

#include "knnbert/distributed/gradient_reducer.hpp"
#include "knnbert/encoder/concept.hpp"
#include "knnbert/text/training_data.hpp"
#include "knnbert/train/own_parameters.hpp"
#include "knnbert/train/report.hpp"
#include "knnbert/train/term_set.hpp"

namespace knnbert::inline v0_1 {

/// One optimization step of a network under any set of terms: forward, every term adds its gradient, one backward,
/// clip, optimizer. It names no method.
template <class Network, DataSource Data, class... Terms>
class Stepper {
 public:
  static_assert(TrainableEncoder<typename Network::encoder_type>,
                "Stack::encoder_type: a TrainableEncoder expected for training, as encoder/concept.hpp says");

  using context_type = StepContext<Network, Data>;
  static_assert(TrainingOptimizer<typename Network::optimizer_type>,
                "Stack::optimizer_type: a TrainingOptimizer expected, as optimizer/concept.hpp says");

  using optimizer_type = clipping_optimizer<typename Network::optimizer_type>;
  using terms_type = TermSet<bound_term<Terms, Network>...>;
  static_assert((Term<present_term<bound_term<Terms, Network>>, context_type> && ...),
                "a training term is copyable and has a static name and a member TermValue add(StepContext&); see "
                "term/context.hpp");
  static_assert(
      (detail::has_callable_members<present_term<bound_term<Terms, Network>>> && ...),
      "identity(sink) and values_to_evaluate() of a training term are called on const objects, and archive(ar) "
      "with all archives; see term/context.hpp");

  /// Errors: OptionError.
  Stepper(Network& network, const Data& data, const TrainerOptions& options, Terms... terms)
      : network_(network), data_(data), options_(options), terms_(bound_term<Terms, Network>(std::move(terms))...),
        gradients_(network.values().shared_table()),
        optimizer_(make_optimizer<typename Network::optimizer_type>(options.weight_decay, options.adam_epsilon)),
        multipliers_(detail::head_multipliers(network.values().table(), options)),
        own_(network, options, [this](auto&& f) { terms_.each(f); }) {
    network_.values().require_complete("Stepper");
    std::vector<std::string_view> names;
    terms_.each([&](const auto& term) {
      if (std::find(names.begin(), names.end(), term.name) != names.end())
        raise<OptionError>("Stepper: two terms of the name {} given, one expected", std::string_view(term.name));
      names.push_back(term.name);
    });
    if (options.part_size > 0 && terms_.whole_batch())
      raise<OptionError>(
          "Stepper: TrainerOptions::part_size {} given, 0 expected: a term compares the examples of a step",
          options.part_size);
    gradients_.freeze_before(detail::frozen_before(network, options));
    join({});
    terms_.each([&](auto& term) {
      if constexpr (requires { term.prepare(network_, data_); }) term.prepare(network_, data_);
    });
  }

  Stepper(const Stepper&) = delete;

  /// From now on processes train together: each computes its range of the examples of every step, gradients and losses
  /// are summed. All must make the same calls with the same numbers.
  void join(Team team) {
    team_ = team;
    to_device(gradients_.block());  // also where a step has no example for this process: all sum on it
    if (team.size() > 1) reducer_.emplace(gradients_, team);
    else reducer_.reset();
    terms_.each([&](auto& term) {
      if constexpr (requires { term.join(team); }) term.join(team);
    });
  }

  /// Trains on the given examples. The report is good until the next step.
  StepReport& step(const StepClock& clock, std::span<const index_t> examples, float learning_rate) {
    if (!network_.values().fresh()) network_.lower(network_.values());  // restored or changed by the caller
    start();
    StepReport& report = report_;
    report.clear();
    report.examples = std::ssize(examples);
    const float idle_weight = begin(clock, examples, report);
    report.time("clear gradients", {}, [&] {
      gradients_.clear();
      own_.clear();
    });
    if (reducer_) reducer_->start();
    const auto [begin_own, end_own] = team_.own_range(std::ssize(examples));
    const index_t part = options_.part_size ? options_.part_size : end_own - begin_own;
    for (index_t first = begin_own; first < end_own; first += part) {
      const index_t count = std::min(part, end_own - first);
      last_part_ = first + count == end_own;
      run_part(clock, examples.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)), first,
               std::ssize(examples), idle_weight, report);
    }
    if (begin_own == end_own && terms_.whole_batch())
      add_without_examples(clock, begin_own, std::ssize(examples), idle_weight, report);
    if (reducer_) combine(report);
    finish(report, learning_rate);
    return report;
  }

  /// Lets every term build its first state; the first step does it otherwise. A restored state needs none.
  void start() {
    if (started_) return;
    started_ = true;
    terms_.each([&](auto& term) {
      if constexpr (requires { term.start(network_, data_); }) term.start(network_, data_);
    });
  }

  /// The terms with their state.
  std::tuple<bound_term<Terms, Network>...>& terms() { return terms_.all(); }
  template <class T>
  bound_term<T, Network>& term() {
    return std::get<bound_term<T, Network>>(terms_.all());
  }
  /// Of the last step, not clipped.
  const Gradients& gradients() const { return gradients_; }
  /// Parameters that terms declared, and their gradients likewise.
  const ParameterBlock& own_values() const { return own_.values; }
  ParameterBlock& own_values() { return own_.values; }
  const Gradients& own_gradients() const { return own_.gradients; }
  /// What dev data, the datastore and the saved model get in place of the model's values; null: nothing.
  const ParameterBlock* values_to_evaluate() const { return terms_.values_to_evaluate(); }

  template <class Archive>
  void archive(Archive& ar);

 private:
  void to_device(const ParameterBlock& block) const {
    if constexpr (requires { network_.encoder().to_device(block); }) network_.encoder().to_device(block);
  }

  /// Where parameters may have left their pretrained values: weight decay reaches rows that never had a gradient.
  std::span<const Range> moved_ranges() {
    const auto& ranges = gradients_.ranges();
    if (options_.weight_decay == 0) return ranges;
    const auto& rest = gradients_.inactive_ranges();
    moved_.assign(ranges.begin(), ranges.end());
    moved_.insert(moved_.end(), rest.begin(), rest.end());
    return moved_;
  }

  float begin(const StepClock& clock, std::span<const index_t> examples, StepReport& report) {
    targets_.classes.clear();
    if constexpr (requires { data_.labels_of(examples, targets_.classes); })
      data_.labels_of(examples, targets_.classes);
    StepStart<Network, Data> start{.model = network_,
                                   .data = data_,
                                   .clock = clock,
                                   .dropout = options_.dropout,
                                   .examples = examples,
                                   .labels = targets_.classes,
                                   .ranges = moved_ranges()};
    terms_.each([&](auto& term) {
      if constexpr (requires { term.begin_step(start); })
        report.time("begin", term.name, [&] { term.begin_step(start); });
      if constexpr (requires { term.operations(); }) report.phase("begin", term.name).operations += term.operations();
    });
    return start.idle_weight;
  }

  std::optional<Rng> masks(const StepClock& clock) const {
    return options_.dropout ? std::optional(clock.rng(Stream::dropout)) : std::nullopt;
  }

  context_type context(const StepClock& clock, std::span<const index_t> examples, index_t first, index_t step_examples,
                       float idle_weight) {
    return {.model = network_,
            .data = data_,
            .clock = clock,
            .dropout = masks(clock),
            .examples = examples,
            .targets = targets_,
            .first_example = first,
            .step_examples = step_examples,
            .idle_weight = idle_weight,
            .pass = pass_,
            .entering = entering_,
            .gradients = gradients_,
            .own_values = own_.values,
            .own_gradients = own_.gradients};
  }

  void run_part(const StepClock& clock, std::span<const index_t> examples, index_t first, index_t step_examples,
                float idle_weight, StepReport& report) {
    data_.assign(examples, clock, batch_, targets_);
    const Batch& batch = batch_;
    const double operations = network_.operations(batch);
    report.time("forward", {}, [&] {
      const ForwardOptions options{
          .dropout = masks(clock), .first_example = first, .keep = options_.recompute ? Keep::hidden : Keep::all};
      network_.forward(network_.values(), batch, options, pass_);
      entering_.start(network_, batch.size(), batch.tokens(), pass_.layers());
    });
    report.phase("forward").operations += operations;
    context_type part = context(clock, examples, first, step_examples, idle_weight);
    terms_.add(part, report);
    if (reducer_ && last_part_) gradients_.set_listener(&*reducer_);
    report.time("backward", {}, [&] { network_.backward(network_.values(), pass_, entering_.entering(gradients_)); });
    gradients_.set_listener(nullptr);
    report.phase("backward").operations += 2 * operations;
    report.tokens += batch.tokens();
  }

  /// Terms that compare examples over processes are called where there are none, too.
  void add_without_examples(const StepClock& clock, index_t first, index_t step_examples, float idle_weight,
                            StepReport& report) {
    targets_.classes.clear(), targets_.values.resize(0, targets_.values.cols());
    pass_ = {};
    entering_.start(network_, 0, 0, 0);
    context_type none = context(clock, {}, first, step_examples, idle_weight);
    terms_.add(none, report);
  }

  /// Gradients and values of all processes; a process without examples has heard of no term yet.
  void combine(StepReport& report);
  void finish(StepReport& report, float learning_rate);
  /// Clips and moves the parameters, the model's and the terms' by one norm, unless loss or gradient is not finite. A
  /// loss that a device is still computing is not waited for: if it is not finite, neither is its gradient.
  bool update(StepReport& report, float learning_rate);  // false: nothing moved

  bool started_ = false, last_part_ = false;
  Team team_;
  Network& network_;
  const Data& data_;
  TrainerOptions options_;
  terms_type terms_;
  Gradients gradients_;
  std::optional<GradientReducer> reducer_;  // ends before them
  optimizer_type optimizer_;
  std::vector<float> multipliers_;
  OwnParameters<optimizer_type> own_;
  StepReport report_;
  std::vector<Range> moved_;
  Batch batch_;
  Targets targets_;
  typename Network::pass_type pass_;
  StepGradients<Network> entering_;
};

}  // namespace knnbert::inline v0_1

#include "knnbert/train/stepper_update.hpp"
