#pragma once
#include <limits>
#include <memory>

#include "knnbert/distributed/team.hpp"
#include "knnbert/encoder/momentum.hpp"
#include "knnbert/io/archive.hpp"
#include "knnbert/queue/fifo.hpp"
#include "knnbert/queue/noise.hpp"
#include "knnbert/term/sampled_queue_contrastive.hpp"
#include "knnbert/term/text_clusters.hpp"

namespace knnbert::inline v0_1 {

/// KNN-BERT's momentum-contrastive loss against a queue of labeled keys.  arXiv 2110.02523, Eq. 3.
/// Each step: the key encoder follows the model; R same-class examples of every query are encoded by it and enqueued;
/// the projected query is pulled to its most and least similar same-class keys and pushed from all others.
/// Cost of a step: R forward passes more. State: a second parameter block and the queue. Processes that train together
/// divide the encoding; each has the whole queue.
template <class Q, class Sampler>
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
  void prepare(const Model& model, const Data& data) {
    validate();
    if (pooled_warm_up && model.width() != model.projection_width())
      raise<OptionError>("QueueContrastive::pooled_warm_up: embeddings of width {} given, keys of width {} expected",
                         model.width(), model.projection_width());
    queue_ = model.template make_queue<Q>(capacity, choice, data.classes());
    keys_ = model.values();
  }

  /// One key for every training example.
  template <class Model, class Data>
  void start(const Model& model, const Data& data) {
    lower_keys(model);
    if (choice.kind == QueueKind::clustered) clusters_.find(model, data, clusters, team_);
    if (random_fill) push_noise(model, data);
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
    if (drop_batch && step_contrast_.valid_anchors < std::ssize(step_labels_)) step_contrast_.valid_anchors = 0;
    if (step_contrast_.valid_anchors == 0) start.idle_weight += weight;
    total_ = {};
  }

  template <class Context>
  TermValue add(Context& context) {
    if (step_contrast_.valid_anchors == 0) return std::nullopt;
    if (!finite_keys_) return std::numeric_limits<float>::quiet_NaN();  // the step is skipped
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
    float sums[] = {static_cast<float>(total_.valid_anchors), static_cast<float>(total_.mean_positive),
                    static_cast<float>(total_.mean_negative), static_cast<float>(total_.zero_anchors)};
    if (team_.size() > 1) team_.all_reduce(sums);
    sink("valid_anchors", static_cast<double>(sums[0]));
    if (sums[0] > 0) {  // else there is nothing that they could be the means of
      sink("positive_similarity", static_cast<double>(sums[1]));
      sink("negative_similarity", static_cast<double>(sums[2]));
    }
    if (sums[3] > 0) sink("zero_anchors", static_cast<double>(sums[3]));
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
      encode(model, data, examples, std::nullopt, pooled_warm_up);
      push(data, examples);
    }
  }

  /// With classes of random examples.
  template <class Model, class Data>
  void push_noise(const Model& model, const Data& data) {
    const Rng rng = Rng(model.seed(), Stream::noise).fork(3);
    new_keys_.resize(capacity, model.projection_width());
    detail::fill_with_short_rows(new_keys_, rng);
    std::vector<index_t> examples(as_size(capacity));
    for (std::size_t i = 0; i < examples.size(); ++i) examples[i] = rng.fork(1).below(i, data.size());
    push(data, examples);
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
    finite_keys_ = true;
    for (index_t i = 0; i < new_keys_.rows(); ++i)
      finite_keys_ = finite_keys_ && all_finite(std::as_const(new_keys_).row(i));
    if (enqueue && finite_keys_) push(start.data, chosen_);
  }

  /// Keys of examples by the key encoder; every process encodes a range and has all.
  template <class Model, class Data>
  void encode(const Model& model, const Data& data, std::span<const index_t> examples,
              const std::optional<Rng>& dropout, bool pooled = false) {
    new_keys_.resize(std::ssize(examples), model.projection_width());
    const Range own = team_.own_range(std::ssize(examples));
    batch_.assign(data.tokens(),
                  examples.subspan(static_cast<std::size_t>(own.begin), static_cast<std::size_t>(own.end - own.begin)));
    if (batch_.size() > 0) {
      const View keys = View(new_keys_).row_range(own.begin, batch_.size());
      if (pooled) model.embed(keys_, batch_, dropout, keys, own.begin);
      else model.project(keys_, batch_, dropout, keys, own.begin);
    }
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
    total_.zero_anchors += report.zero_anchors;
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
  bool finite_keys_ = true;             // of this step
  std::vector<index_t> pool_, chosen_;  // scratch, as all that follows
  std::vector<label_t> labels_, step_labels_;
  Batch batch_;
  Matrix new_keys_, raw_, queries_, d_queries_;
};

}  // namespace knnbert::inline v0_1
