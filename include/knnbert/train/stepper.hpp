#pragma once
#include <cmath>
#include <tuple>

#include "knnbert/distributed/gradient_reducer.hpp"
#include "knnbert/io/archive.hpp"
#include "knnbert/optimizer/adamw.hpp"
#include "knnbert/optimizer/clip.hpp"
#include "knnbert/text/training_data.hpp"
#include "knnbert/train/report.hpp"

namespace knnbert {

namespace detail {

/// Parameters that lie with an encoder of another backend are moved by an optimizer of its own.
template <class Encoder>
struct OptimizerOf { using type = AdamW; };
template <class Encoder>
  requires requires { typename Encoder::optimizer_type; }
struct OptimizerOf<Encoder> { using type = typename Encoder::optimizer_type; };

}  // namespace detail

/// One optimization step of a network under any set of terms: forward, every term adds its gradient, one backward,
/// clip, optimizer. It names no method.
template <class Network, class... Terms>
class Stepper {
 public:
  using context_type = StepContext<Network, TrainingData>;
  static_assert((Term<Terms, context_type> && ...),
                "a training term needs a static name and a member TermValue add(StepContext&); see term/context.hpp");

  Stepper(Network& network, const TrainingData& data, const TrainerOptions& options, Terms... terms)
      : network_(network), data_(data), options_(options), terms_(std::move(terms)...), gradients_(network.values().shared_table()),
        optimizer_(AdamWOptions{.weight_decay = options.weight_decay}), multipliers_(head_multipliers()) {
    network_.values().require_complete("Stepper");
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
    // Also where a step has no example for this process: all sum at one place.
    if constexpr (requires { network_.encoder().place(gradients_.block()); }) network_.encoder().place(gradients_.block());
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
    report.time("clear gradients", {}, [&] { gradients_.clear(); });
    if (reducer_) reducer_->start();
    const auto [begin_own, end_own] = team_.share(std::ssize(examples));
    const index_t part = options_.part_size ? options_.part_size : end_own - begin_own;
    for (index_t first = begin_own; first < end_own; first += part) {
      const index_t count = std::min(part, end_own - first);
      last_part_ = first + count == end_own;
      run_part(clock, examples.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)), first, std::ssize(examples), idle_weight, report);
    }
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

  template <class Archive>
  void archive(Archive& ar) {
    started_ = true;
    ar("values", archived_floats<Archive>(network_.values()));
    gradients_.archive_rows(ar);
    auto optimizer = ar.scope("optimizer");
    optimizer_.archive(optimizer);
    each_term([&](auto& term) {
      if constexpr (requires { term.archive(ar); }) {
        auto own = ar.scope(term.name);
        term.archive(own);
      }
    });
  }

 private:
  template <class F>
  void each_term(F&& f) {
    std::apply([&](auto&... term) { (f(term), ...); }, terms_);
  }

  /// The heads start from random numbers and may want larger steps than the pretrained encoder.
  std::vector<float> head_multipliers() const {
    if (options_.head_learning_rate == 0 || options_.learning_rate == 0) return {};
    std::vector<float> multipliers;
    for (const auto& parameter : network_.values().table().all()) {
      const bool head = parameter.name.starts_with("classifier.") || parameter.name.starts_with("projection.");
      multipliers.push_back(head ? options_.head_learning_rate / options_.learning_rate : 1.0f);
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
    data_.labels_of(examples, labels_);
    StepStart<Network, TrainingData> start{network_, data_, clock, options_.dropout, examples, labels_, moved_ranges()};
    each_term([&](auto& term) {
      if constexpr (requires { term.begin_step(start); }) report.time("begin", term.name, [&] { term.begin_step(start); });
      if constexpr (requires { term.operations(); }) report.phase("begin", term.name).operations += term.operations();
    });
    return start.idle_weight;
  }

  void run_part(const StepClock& clock, std::span<const index_t> examples, index_t first, index_t step_examples, float idle_weight, StepReport& report) {
    const auto dropout = options_.dropout ? std::optional(clock.rng(Stream::dropout)) : std::nullopt;
    const auto workspace = network_.lend_workspace();
    data_.labels_of(examples, labels_);
    batch_.assign(data_.tokens(), examples);
    const Batch& batch = batch_;
    const double operations = network_.operations(batch);
    report.time("forward", {}, [&] {
      network_.encoder().forward(network_.values(), batch,
                                 {.pooling = network_.pooling(), .dropout = dropout, .first_example = first, .recompute = options_.recompute}, tape_,
                                 *workspace, network_.workers());
      resize(batch.size());
      network_.head().forward(network_.values(), tape_.embedding(), dropout, first, head_tape_, logits_);
    });
    report.phase("forward").operations += operations;
    context_type context{network_, data_, clock, dropout, examples, labels_, first, step_examples, idle_weight, tape_.embedding(), logits_, d_embedding_, d_logits_, gradients_};
    add_terms(context, report);
    if (reducer_ && last_part_) gradients_.set_listener(&*reducer_);
    report.time("backward", {}, [&] {
      network_.head().backward(network_.values(), head_tape_, d_logits_, gradients_, d_embedding_, network_.workers());
      network_.encoder().backward(network_.values(), tape_, {.d_embedding = d_embedding_, .parameters = &gradients_}, *workspace, network_.workers());
    });
    gradients_.set_listener(nullptr);
    report.phase("backward").operations += 2 * operations;
    report.tokens += batch.tokens();
  }

  void resize(index_t texts) {
    logits_.resize(texts, network_.classes());
    d_logits_.resize(texts, network_.classes());
    d_embedding_.resize(texts, network_.width());
    d_logits_.fill(0);
    d_embedding_.fill(0);
  }

  /// Values of the parts of a step add up, each being its share of a mean.
  void add_terms(context_type& context, StepReport& report) {
    const bool first = report.terms.empty();
    std::size_t i = 0;
    each_term([&](auto& term) {
      TermValue value;
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
    report.time("all-reduce", {}, [&] { reducer_->finish(); });
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

  /// Clips and moves the parameters, unless loss or gradient is not finite; where the optimizer can, in one go. For a loss that
  /// a device is still computing its gradient speaks.
  void update(StepReport& report, float learning_rate) {
    const bool finite = !report.loss.known() || std::isfinite(report.loss);
    const auto move = [&]() -> Deferred<double> {
      if constexpr (requires { optimizer_.clipped_step(network_.values(), gradients_, 1.0f, learning_rate, network_.workers(), multipliers_, finite); }) {
        return optimizer_.clipped_step(network_.values(), gradients_, options_.clip_norm, learning_rate, network_.workers(), multipliers_, finite);
      } else {
        const double norm = clip_global_norm(gradients_, options_.clip_norm, network_.workers());
        if (finite && std::isfinite(norm)) optimizer_.step(network_.values(), gradients_, learning_rate, network_.workers(), multipliers_);
        return norm;
      }
    };
    report.time("optimizer", {}, [&] { report.gradient_norm = move(); });
    report.finite = report.gradient_norm.then([finite](double norm) { return finite && std::isfinite(norm); });
  }

  bool started_ = false, last_part_ = false;
  Team team_;
  std::optional<GradientReducer> reducer_;
  Network& network_;
  const TrainingData& data_;
  TrainerOptions options_;
  std::tuple<Terms...> terms_;
  Gradients gradients_;
  typename detail::OptimizerOf<typename Network::encoder_type>::type optimizer_;
  std::vector<float> multipliers_;
  StepReport report_;
  std::vector<label_t> labels_;
  std::vector<Range> moved_;
  Batch batch_;
  typename Network::tape_type tape_;
  typename Network::head_tape_type head_tape_;
  typename Network::rows_type logits_, d_logits_, d_embedding_;
};

}  // namespace knnbert
