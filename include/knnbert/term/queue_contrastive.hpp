#pragma once
#include <memory>

#include "knnbert/distributed/team.hpp"
#include "knnbert/encoder/momentum.hpp"
#include "knnbert/io/archive.hpp"
#include "knnbert/queue/fifo.hpp"
#include "knnbert/term/queue_contrastive_options.hpp"
#include "knnbert/term/text_clusters.hpp"
#include "knnbert/text/training_data.hpp"

namespace knnbert::inline v0_1 {

template <class Sampler = SameClassSampler>
class SampledQueueContrastive;

/// KNN-BERT's momentum-contrastive loss against a queue of labeled keys.  arXiv 2110.02523, Eq. 3.
/// Each step: the key encoder follows the model; R same-class examples of every query are encoded by it and enqueued;
/// the projected query is pulled to its most and least similar same-class keys and pushed from all others.
/// Cost of a step: R forward passes more. State: a second parameter block and the queue. Processes that train together
/// divide the encoding; each has the whole queue.
template <class Q = FifoQueue<>, class Sampler = SameClassSampler>
class BasicQueueContrastive : public QueueContrastiveOptions {
 public:
  static_assert(detail::has_gradient<Q>,
                "Stack::metric_type: a DifferentiableMetric expected for a contrast, as metric/concept.hpp says");
  static_assert(TrainingQueue<Q> || !detail::has_gradient<Q>,
                "Stack::queue_type<metric_type>: a TrainingQueue expected, as queue/concept.hpp says");
  static constexpr std::string_view name = "contrastive";
  using queue_type = Q;

  BasicQueueContrastive() = default;
  BasicQueueContrastive(const SampledQueueContrastive<Sampler>& term) : BasicQueueContrastive(term, term.sampler()) {}
  BasicQueueContrastive(const QueueContrastiveOptions& options, Sampler sampler = {})
      : QueueContrastiveOptions(options), sampler_(std::move(sampler)) {}

  /// The keys.  Errors: StateError before training.
  const Q& queue() const {
    if (!queue_) raise<StateError>("QueueContrastive::queue: there is no queue before training");
    return *queue_;
  }
  Q& queue() { return const_cast<Q&>(std::as_const(*this).queue()); }
  const ParameterBlock& key_values() const { return keys_; }
  /// The classes of the keys: their labels, but for a clustered queue's.
  std::vector<label_t> key_classes() const {
    std::vector<label_t> found(queue().labels().begin(), queue().labels().end());
    clusters_.decode(found);
    return found;
  }

  void join(Team team) { team_ = team; }

  template <class Model, class Data>
  void prepare(const Model& model, const Data&) {
    validate();
    queue_ = model.template make_queue<Q>(capacity, choice);
    keys_ = model.values();
  }

  /// One key for every training example.
  template <class Model, class Data>
  void start(const Model& model, const Data& data) {
    lower_keys(model);
    if (choice.kind == QueueKind::clustered) clusters_.find(model, data, clusters, team_);
    if (warm_up) fill(model, data);
  }

  template <class Start>
  void begin_step(Start& start) {
    const auto& model = start.model;
    operations_ = 0;
    if (momentum < 1) follow(model.values(), keys_, 1 - momentum, start.ranges, model.workers());
    if (momentum < 1 || !keys_.fresh()) lower_keys(model);
    if (positives > 0) encode_positives(start);
    step_labels_.assign(start.labels.begin(), start.labels.end());
    clusters_.encode(start.examples, step_labels_);
    step_contrast_ = queue_->for_batch(step_labels_, contrast);
    if (step_contrast_.valid_anchors == 0) start.idle_weight += weight;
    total_ = {};
  }

  template <class Context>
  TermValue add(Context& context) {
    if (step_contrast_.valid_anchors == 0) return std::nullopt;
    const auto& model = context.model;
    const index_t rows = context.embedding.rows();
    for (Matrix* m : {&raw_, &queries_, &d_queries_}) m->resize(rows, model.projection_width());
    const auto projection = model.lend_projection();
    model.projection().forward(model.values(), context.embedding, context.dropout, context.first_example,
                               projection->tape, raw_);
    copy(raw_, queries_);
    model.metric().prepare(queries_);
    d_queries_.fill(0);
    step_contrast_.first_anchor = context.first_example;
    const auto report = contrast_with_queue(model, context);
    scale_rows(d_queries_, weight);
    model.metric().prepare_backward(raw_, queries_, d_queries_, d_queries_);
    model.projection().backward(model.values(), projection->tape, d_queries_, &context.gradients, context.d_embedding,
                                model.workers());
    gather(report);
    return weight * report.loss;
  }

  template <class Sink>
  void measure(Sink&& sink) const {
    double anchors = static_cast<double>(total_.valid_anchors), positive = total_.mean_positive,
           negative = total_.mean_negative;
    if (team_.size() > 1) {
      float sums[] = {static_cast<float>(anchors), static_cast<float>(positive), static_cast<float>(negative)};
      team_.all_reduce(sums);
      anchors = sums[0], positive = sums[1], negative = sums[2];
    }
    sink("valid_anchors", anchors);
    sink("positive_similarity", positive);
    sink("negative_similarity", negative);
    sink("queue_fill", static_cast<double>(queue_->size()) / static_cast<double>(queue_->capacity()));
  }

  double operations() const { return operations_; }

  template <class Sink>
  void identity(Sink&& sink) const {
    QueueContrastiveOptions::identity(sink);
    if constexpr (requires { sampler_.exclude_self; }) sink("exclude_self", sampler_.exclude_self);
  }

  template <class Archive>
  void archive(Archive& ar) {
    ar("key_values", archived_floats<Archive>(keys_));
    queue_->archive(ar);
    if (choice.kind == QueueKind::clustered) clusters_.archive(ar);
  }

 private:
  template <class Model>
  void lower_keys(const Model& model) {
    model.lower(keys_, key_precision.value_or(model.options().precision));
  }

  template <class Model, class Data>
  void fill(const Model& model, const Data& data) {
    constexpr index_t group = 256;
    const auto order = sampler_.order(data, Rng(model.seed(), Stream::sample));
    for (index_t first = 0; first < data.size(); first += group) {
      const std::span<const index_t> examples(order.data() + first,
                                              static_cast<std::size_t>(std::min(group, data.size() - first)));
      encode(model, data, examples, std::nullopt);
      push(data, examples);
    }
  }

  template <class Start>
  void encode_positives(const Start& start) {
    const Rng rng = start.clock.rng(Stream::positives);
    chosen_.clear();
    for (index_t query = 0; query < std::ssize(start.examples); ++query)
      sampler_.draw(start.data, start.examples, query, positives, rng.fork(static_cast<std::uint64_t>(query)), pool_,
                    chosen_);
    encode(start.model, start.data, chosen_,
           key_dropout && start.dropout ? std::optional(start.clock.rng(Stream::key_dropout)) : std::nullopt);
    if (enqueue) push(start.data, chosen_);
  }

  /// Keys of examples by the key encoder; every process encodes a range and has all.
  template <class Model, class Data>
  void encode(const Model& model, const Data& data, std::span<const index_t> examples,
              const std::optional<Rng>& dropout) {
    new_keys_.resize(std::ssize(examples), model.projection_width());
    const Range own = team_.own_range(std::ssize(examples));
    batch_.assign(data.tokens(),
                  examples.subspan(static_cast<std::size_t>(own.begin), static_cast<std::size_t>(own.end - own.begin)));
    if (batch_.size() > 0)
      model.project(keys_, batch_, dropout, View(new_keys_).row_range(own.begin, batch_.size()), own.begin);
    operations_ += model.operations(batch_);
    gather_rows(team_, new_keys_);
  }
  template <class Data>
  void push(const Data& data, std::span<const index_t> examples) {
    data.labels_of(examples, labels_);
    clusters_.encode(examples, labels_);
    queue_->push(new_keys_, labels_);
  }

  /// With the keys of its own for a queue that asks for such, and with the model's workers for one that uses them.
  template <class Model, class Context>
  ContrastReport contrast_with_queue(const Model& model, const Context& context) {
    const index_t first = context.first_example, rows = queries_.rows();
    const auto labels = std::span(std::as_const(step_labels_)).subspan(as_size(first), as_size(rows));
    const auto call = [&](const auto&... more) {
      return queue_->contrast(queries_, labels, step_contrast_, context.clock.rng(Stream::sample), d_queries_, more...);
    };
    if constexpr (requires(typename Q::positives_type p) { p.keys; }) {
      typename Q::positives_type own{};
      if (choice.positives == PositiveRule::own_key) own.keys = ConstView(new_keys_).row_range(first, rows);
      return call(own, model.workers());
    } else if constexpr (requires { typename Q::positives_type; }) {
      return call(typename Q::positives_type{}, model.workers());
    } else {
      return call();
    }
  }

  void gather(const ContrastReport& report) {
    const double share = static_cast<double>(report.valid_anchors) / static_cast<double>(step_contrast_.valid_anchors);
    total_.valid_anchors += report.valid_anchors;
    total_.mean_positive += share * report.mean_positive;
    total_.mean_negative += share * report.mean_negative;
  }

  Sampler sampler_;
  Team team_;
  std::shared_ptr<Q> queue_;
  ParameterBlock keys_;
  TextClusters clusters_;
  ContrastOptions step_contrast_;
  ContrastReport total_;
  double operations_ = 0;
  std::vector<index_t> pool_, chosen_;  // scratch, as all that follows
  std::vector<label_t> labels_, step_labels_;
  Batch batch_;
  Matrix new_keys_, raw_, queries_, d_queries_;
};

/// The same with the queue of the model's stack; the sampler chooses which examples are encoded for a query.
template <class Sampler>
class SampledQueueContrastive : public QueueContrastiveOptions {
 public:
  template <class Model>
  using bound = BasicQueueContrastive<typename Model::queue_type, Sampler>;

  SampledQueueContrastive() = default;
  SampledQueueContrastive(const QueueContrastiveOptions& options, Sampler sampler = {})
      : QueueContrastiveOptions(options), sampler_(std::move(sampler)) {}

  const Sampler& sampler() const { return sampler_; }

 private:
  Sampler sampler_;
};

using QueueContrastive = SampledQueueContrastive<>;

}  // namespace knnbert::inline v0_1
