#pragma once
#include <cmath>
#include <tuple>

#include "knnbert/distributed/gradient_reducer.hpp"
#include "knnbert/text/training_data.hpp"
#include "knnbert/train/own_parameters.hpp"
#include "knnbert/train/report.hpp"

namespace knnbert {

/// One optimization step of a network under any set of terms: forward, every term adds its gradient, one backward,
/// clip, optimizer. It names no method.
template <class Network, DataSource Data, class... Terms>
class Stepper {
 public:
  using context_type = StepContext<Network, Data>;
  using optimizer_type = typename detail::OptimizerOf<typename Network::encoder_type>::type;
  static_assert((Term<Terms, context_type> && ...),
                "a training term needs a static name and a member TermValue add(StepContext&); see term/context.hpp");

  /// Errors: OptionError.
  Stepper(Network& network, const Data& data, const TrainerOptions& options, Terms... terms)
      : network_(network), data_(data), options_(options), terms_(std::move(terms)...), gradients_(network.values().shared_table()),
        optimizer_(AdamWOptions{.weight_decay = options.weight_decay}), multipliers_(head_multipliers()), own_(network, options, head_multiplier(), [this](auto&& f) { each_term(f); }) {
    network_.values().require_complete("Stepper");
    if (whole_batch && options.part_size > 0)
      raise<OptionError>("Stepper: TrainerOptions::part_size {} given, 0 expected: a term compares the examples of a step", options.part_size);
    join({});
    each_term([&](auto& term) {
      if constexpr (requires { term.prepare(network_, data_); }) term.prepare(network_, data_);
    });
  }

  Stepper(const Stepper&) = delete;

  /// From now on processes train together: each computes its share of the examples of every step, gradients and losses
  /// are summed. All must make the same calls with the same numbers.
  void join(Team team) {
    team_ = team;
    place(gradients_.block());  // also where a step has no example for this process: all sum at one place
    if (team.size() > 1) reducer_.emplace(gradients_, team);
    else reducer_.reset();
    each_term([&](auto& term) {
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
    const auto [begin_own, end_own] = team_.share(std::ssize(examples));
    const index_t part = options_.part_size ? options_.part_size : end_own - begin_own;
    for (index_t first = begin_own; first < end_own; first += part) {
      const index_t count = std::min(part, end_own - first);
      last_part_ = first + count == end_own;
      run_part(clock, examples.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)), first, std::ssize(examples), idle_weight, report);
    }
    if (whole_batch && begin_own == end_own) add_without_examples(clock, begin_own, std::ssize(examples), idle_weight, report);
    if (reducer_) combine(report);
    finish(report, learning_rate);
    return report;
  }

  /// Lets every term build its first state; the first step does it otherwise. A restored state needs none.
  void start() {
    if (started_) return;
    started_ = true;
    each_term([&](auto& term) {
      if constexpr (requires { term.start(network_, data_); }) term.start(network_, data_);
    });
  }

  /// The terms with their state.
  std::tuple<Terms...>& terms() { return terms_; }
  template <class T>
  T& term() { return std::get<T>(terms_); }
  /// Of the last step, not clipped.
  const Gradients& gradients() const { return gradients_; }
  /// Parameters that terms declared, and their gradients likewise.
  const ParameterBlock& own_values() const { return own_.values; }
  ParameterBlock& own_values() { return own_.values; }
  const Gradients& own_gradients() const { return own_.gradients; }
  /// What dev data, the datastore and the saved model get in place of the model's values; null: nothing.
  const ParameterBlock* values_to_evaluate() const {
    const ParameterBlock* values = nullptr;
    std::apply([&](const auto&... term) { (look_for_values(term, values), ...); }, terms_);
    return values;
  }

  template <class Archive>
  void archive(Archive& ar) {
    started_ = true;
    ar("values", archived_floats<Archive>(network_.values()));
    gradients_.archive_rows(ar);
    auto optimizer = ar.scope("optimizer");
    optimizer_.archive(optimizer);
    own_.archive(ar.scope("own"));
    each_term([&](auto& term) {
      if constexpr (requires { term.archive(ar); }) {
        auto own = ar.scope(term.name);
        term.archive(own);
      }
    });
  }

 private:
  static constexpr bool whole_batch = (WholeBatchTerm<Terms> || ...);

  template <class F>
  void each_term(F&& f) {
    std::apply([&](auto&... term) { (f(term), ...); }, terms_);
  }

  template <class T>
  static void look_for_values(const T& term, const ParameterBlock*& values) {
    if constexpr (requires { term.values_to_evaluate(); })
      if (const ParameterBlock* own = term.values_to_evaluate()) values = own;
  }

  void place(const ParameterBlock& block) const {
    if constexpr (requires { network_.encoder().place(block); }) network_.encoder().place(block);
  }

  float head_multiplier() const {
    return options_.head_learning_rate == 0 || options_.learning_rate == 0 ? 1.0f : options_.head_learning_rate / options_.learning_rate;
  }
  /// The heads start from random numbers and may want larger steps than the pretrained encoder.
  std::vector<float> head_multipliers() const {
    if (head_multiplier() == 1) return {};
    std::vector<float> multipliers;
    for (const auto& parameter : network_.values().table().all()) {
      const bool head = parameter.name.starts_with("classifier.") || parameter.name.starts_with("projection.");
      multipliers.push_back(head ? head_multiplier() : 1.0f);
    }
    return multipliers;
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
    if constexpr (requires { data_.labels_of(examples, targets_.classes); }) data_.labels_of(examples, targets_.classes);
    StepStart<Network, Data> start{.model = network_, .data = data_, .clock = clock, .dropout = options_.dropout, .examples = examples,
                                   .labels = targets_.classes, .ranges = moved_ranges()};
    each_term([&](auto& term) {
      if constexpr (requires { term.begin_step(start); }) report.time("begin", term.name, [&] { term.begin_step(start); });
      if constexpr (requires { term.operations(); }) report.phase("begin", term.name).operations += term.operations();
    });
    return start.idle_weight;
  }

  std::optional<Rng> masks(const StepClock& clock) const { return options_.dropout ? std::optional(clock.rng(Stream::dropout)) : std::nullopt; }

  context_type context(const StepClock& clock, std::span<const index_t> examples, index_t first, index_t step_examples, float idle_weight) {
    return {.model = network_, .data = data_, .clock = clock, .dropout = masks(clock), .examples = examples, .targets = targets_, .first_example = first,
            .step_examples = step_examples, .idle_weight = idle_weight, .pass = pass_, .entering = entering_, .gradients = gradients_,
            .own_values = own_.values, .own_gradients = own_.gradients};
  }

  void run_part(const StepClock& clock, std::span<const index_t> examples, index_t first, index_t step_examples, float idle_weight, StepReport& report) {
    data_.assign(examples, clock, batch_, targets_);
    const Batch& batch = batch_;
    const double operations = network_.operations(batch);
    report.time("forward", {}, [&] {
      const ForwardOptions options{.dropout = masks(clock), .first_example = first, .keep = options_.recompute ? Keep::hidden : Keep::all};
      network_.forward(network_.values(), batch, options, pass_);
      entering_.start(network_, batch.size(), batch.tokens(), pass_.layers());
    });
    report.phase("forward").operations += operations;
    context_type part = context(clock, examples, first, step_examples, idle_weight);
    add_terms(part, report);
    if (reducer_ && last_part_) gradients_.set_listener(&*reducer_);
    report.time("backward", {}, [&] { network_.backward(network_.values(), pass_, entering_.entering(gradients_)); });
    gradients_.set_listener(nullptr);
    report.phase("backward").operations += 2 * operations;
    report.tokens += batch.tokens();
  }

  /// Terms that compare examples over processes are called where there are none, too.
  void add_without_examples(const StepClock& clock, index_t first, index_t step_examples, float idle_weight, StepReport& report) {
    targets_.classes.clear(), targets_.values.resize(0, targets_.values.cols());
    pass_ = {};
    entering_.start(network_, 0, 0, 0);
    context_type none = context(clock, {}, first, step_examples, idle_weight);
    add_terms(none, report);
  }

  /// Values of the parts of a step add up, each being its share of a mean.
  void add_terms(context_type& context, StepReport& report) {
    const bool first = report.terms.empty();
    std::size_t i = 0;
    each_term([&](auto& term) {
      TermValue value;
      if (!context.examples.empty() || WholeBatchTerm<std::remove_cvref_t<decltype(term)>>)
        report.time("loss", term.name, [&] { value = term.add(context); });
      if (first) report.terms.emplace_back(term.name, std::nullopt);
      auto& total = report.terms[i++].second;
      if (!value) return;
      if (total) *total += *value;
      else total = value;
      report.loss += *value;
    });
  }

  /// Gradients and values of all processes; a process without examples has heard of no term yet.
  void combine(StepReport& report) {
    report.time("all-reduce", {}, [&] {
      reducer_->finish();
      own_.sum(team_);
    });
    if (report.terms.empty()) each_term([&](auto& term) { report.terms.emplace_back(term.name, std::nullopt); });
    std::vector<float> sums{static_cast<float>(report.tokens)};
    for (const auto& [name, value] : report.terms) sums.insert(sums.end(), {value ? 1.0f : 0.0f, value.value_or(0)});
    report.time("all-reduce", {}, [&] { team_.all_reduce(sums); });
    report.tokens = static_cast<index_t>(sums.front());
    report.loss = 0;
    for (std::size_t i = 0; i < report.terms.size(); ++i) {
      const float present = sums[2 * i + 1], value = sums[2 * i + 2];
      report.terms[i].second = present > 0 ? TermValue(value) : std::nullopt;
      report.loss += value;
    }
  }

  void finish(StepReport& report, float learning_rate) {
    report.learning_rate = learning_rate;
    each_term([&](auto& term) {
      if constexpr (requires { term.before_update(network_, gradients_); }) report.time("before update", term.name, [&] { term.before_update(network_, gradients_); });
    });
    update(report, learning_rate);
    const auto ranges = moved_ranges();
    report.time("lower weights", {}, [&] { network_.lower(network_.values()); });
    each_term([&](auto& term) {
      if constexpr (requires { term.after_update(network_, ranges); }) {
        if (report.finite) report.time("after update", term.name, [&] { term.after_update(network_, ranges); });
      }
      if constexpr (requires { term.measure([](std::string_view, double) {}); })
        term.measure([&](std::string_view name, double value) { report.measures.emplace_back(name, value); });
    });
  }

  /// Clips and moves the parameters, the model's and the terms' by one norm, unless loss or gradient is not finite. A loss that
  /// a device is still computing is not waited for: if it is not finite, neither is its gradient.
  void update(StepReport& report, float learning_rate) {
    const bool finite = !report.loss.known() || std::isfinite(report.loss);
    const auto& workers = network_.workers();
    const auto move = [&]() -> Deferred<double> {
      auto norm = optimizer_.norm(network_.values(), gradients_, workers);
      if (own_.any()) norm = optimizer_.joint_norm(norm, own_.optimizer.norm(own_.values, own_.gradients, workers));
      optimizer_.clipped_step(norm, network_.values(), gradients_, options_.clip_norm, learning_rate, workers, multipliers_, finite);
      if (own_.any()) own_.optimizer.clipped_step(norm, own_.values, own_.gradients, options_.clip_norm, learning_rate, workers, own_.multipliers, finite);
      return optimizer_.read_norm(norm);
    };
    report.time("optimizer", {}, [&] { report.gradient_norm = move(); });
    report.finite = report.gradient_norm.then([finite](double norm) { return finite && std::isfinite(norm); });
  }

  bool started_ = false, last_part_ = false;
  Team team_;
  std::optional<GradientReducer> reducer_;
  Network& network_;
  const Data& data_;
  TrainerOptions options_;
  std::tuple<Terms...> terms_;
  Gradients gradients_;
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

}  // namespace knnbert
