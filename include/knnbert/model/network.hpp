#pragma once
#include <memory>

#include "knnbert/core/lease.hpp"
#include "knnbert/core/parallel.hpp"
#include "knnbert/encoder/concept.hpp"
#include "knnbert/metric/concept.hpp"
#include "knnbert/model/options.hpp"
#include "knnbert/model/pass.hpp"
#include "knnbert/nn/head.hpp"
#include "knnbert/queue/options.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// What a pass of an encoder that cannot be trained keeps.
struct NoTape {
  ConstView embedding() const { return {}; }
};
template <class E>
struct TapeOf {
  using type = NoTape;
};
template <TrainableEncoder E>
struct TapeOf<E> {
  using type = typename E::tape_type;
};

}  // namespace detail

/// Encoder, classification head and contrastive head over one parameter block: token ids in, embeddings, logits and
/// features out. It knows no texts, no class names and no datastore.  Thread safety: const members may run
/// concurrently.
template <class Stack>
class Network {
 public:
  static_assert(Encoder<typename Stack::encoder_type>,
                "Stack::encoder_type: an Encoder expected, as encoder/concept.hpp says");
  static_assert(Head<typename Stack::head_type>, "Stack::head_type: a Head expected, as nn/head.hpp says");
  static_assert(Metric<typename Stack::metric_type>,
                "Stack::metric_type: a Metric expected, as metric/concept.hpp says");

  using encoder_type = typename Stack::encoder_type;
  using head_type = typename Stack::head_type;
  using metric_type = typename Stack::metric_type;
  using optimizer_type = typename Stack::optimizer_type;
  using queue_type = typename Stack::template queue_type<metric_type>;
  using workspace_type = typename encoder_type::workspace_type;
  using head_tape_type = typename head_type::tape_type;
  using rows_type = typename detail::RowsOf<encoder_type>::type;
  using input_type = BasicEncoderInput<typename rows_type::input>;
  using pass_type = BasicPass<typename detail::TapeOf<encoder_type>::type, head_tape_type, rows_type>;
  using hidden_gradient_type = BasicHiddenGradient<typename rows_type::input>;
  using gradients_type = BasicPassGradients<typename rows_type::input, rows_type>;

  /// Zero parameters except the heads, which are drawn from options.seed.  Errors: OptionError.
  Network(const typename encoder_type::config_type& config, index_t classes, const ClassifierOptions& options)
      : options_(options), encoder_(make_encoder(config, options)),
        workers_(std::make_unique<Workers>(options.threads)) {
    options_.pooling = pooling();
    ParameterTable table(weight_layout());
    encoder_.declare_dense(table);
    const float dropout = encoder_.dropout();
    head_ = head_type::declare(table, "classifier", width(),
                               {.outputs = classes, .hidden_layer = options.head_hidden_layer, .dropout = dropout});
    const index_t features = options.projection_width ? options.projection_width : width();
    projection_ = head_type::declare(table, "projection", width(),
                                     {.outputs = features, .hidden_layer = true, .dropout = dropout});
    encoder_.declare_lookup(table);
    values_ = ParameterBlock(std::make_shared<const ParameterTable>(std::move(table)));
    const Rng rng(options.seed, Stream::initialize);
    head_.initialize(values_, rng);
    projection_.initialize(values_, rng);
    if constexpr (requires { encoder_.to_device(values_); }) encoder_.to_device(values_);
  }

  const ClassifierOptions& options() const { return options_; }
  Pooling pooling() const { return options_.pooling.value_or(Pooling::mean); }
  std::uint64_t seed() const { return options_.seed; }
  const encoder_type& encoder() const { return encoder_; }
  const head_type& head() const { return head_; }
  const head_type& projection() const { return projection_; }
  const metric_type& metric() const { return metric_; }
  const Workers& workers() const { return *workers_; }
  index_t width() const { return encoder_.width(); }
  index_t classes() const { return head_.outputs(); }
  index_t projection_width() const { return projection_.outputs(); }
  index_t feature_width() const { return options_.feature == Feature::contrastive ? projection_width() : width(); }
  const ParameterBlock& values() const { return values_; }
  ParameterBlock& values() { return values_; }

  /// Brings the weights of a block into a precision, that of the options unless another is given; to be called whenever
  /// its values have changed.  Errors: OptionError for a precision that the encoder is not compiled for.
  void lower(ParameterBlock& values) const { lower(values, options_.precision); }
  void lower(ParameterBlock& values, Precision precision) const {
    if constexpr (requires { encoder_.lower(values, precision, *workers_); })
      encoder_.lower(values, precision, *workers_);
    else if (precision != Precision::fp32)
      raise<OptionError>("Network::lower: {} given, but this encoder knows fp32 only", name_of(precision));
  }
  /// Errors: OptionError for a precision that the encoder is not compiled for.
  void set_precision(Precision precision) {
    values_.require_complete("Network::set_precision");
    options_.precision = precision;
    lower(values_);
  }

  /// Floating-point operations of a forward pass of the encoder; a backward pass has twice as many. 0 if it cannot
  /// tell.
  double operations(const Batch& batch) const {
    if constexpr (requires { encoder_.operations(batch); }) return encoder_.operations(batch);
    return 0;
  }

  /// Embeddings and logits of the input by the given values, which lower() must have seen, and in the pass what the
  /// options say. The same object and call serve the model, a key encoder, a teacher and a perturbed text.
  /// Errors: ShapeError; OptionError for rows that enter where weights are lowered.
  void forward(const ParameterBlock& values, const input_type& input, const ForwardOptions& options,
               pass_type& pass) const {
    const auto workspace = workspaces_->lend();
    pass.options_ = options;
    pass.options_.pooling = options.pooling.value_or(pooling());
    if (options.keep == Keep::nothing) {
      pass.embedding_.resize(input.batch.size(), width());
      encoder_.encode(values, input, pass.options_, pass.embedding_, *workspace, *workers_);
    } else if constexpr (TrainableEncoder<encoder_type>) {
      encoder_.forward(values, input, pass.options_, pass.tape_, *workspace, *workers_);
    } else {
      raise<OptionError>(
          "Network::forward: a pass that is kept asked for, Keep::nothing expected: this encoder cannot be trained");
    }
    pass.logits_.resize(input.batch.size(), classes());
    head_.forward(values, pass.embedding(), options.dropout, options.first_example, pass.head_tape_, pass.logits_);
  }

  /// Adds the gradients of a forward pass by the same values. The pass stays as it is.
  /// Errors: ShapeError; OptionError for a pass that kept nothing and a gradient where it has no rows.
  void backward(const ParameterBlock& values, const pass_type& pass,
                const gradients_type& gradients) const requires TrainableEncoder<encoder_type> {
    if (pass.options_.keep == Keep::nothing)
      raise<OptionError>("Network::backward: a pass that kept nothing given, Keep::hidden or all expected");
    const index_t texts = pass.batch().size();
    typename rows_type::input d_embedding = gradients.d_embedding;
    if (!gradients.d_logits.empty()) {
      require_shape("Network::backward: d_logits", gradients.d_logits, texts, classes());
      if (!d_embedding.empty()) require_shape("Network::backward: d_embedding", d_embedding, texts, width());
      assign_rows(d_embedding, texts, width(), pass.d_embedding_);
      head_.backward(values, pass.head_tape_, gradients.d_logits, gradients.parameters, pass.d_embedding_, *workers_);
      d_embedding = pass.d_embedding_;
    }
    const auto workspace = workspaces_->lend();
    const BasicEncoderGradients<typename rows_type::input, rows_type> own{.d_embedding = d_embedding,
                                                                          .d_hidden = gradients.d_hidden,
                                                                          .d_sums = gradients.d_sums,
                                                                          .parameters = gradients.parameters,
                                                                          .d_output = gradients.d_output,
                                                                          .d_sums_out = gradients.d_sums_out};
    encoder_.backward(values, pass.tape_, own, *workspace, *workers_);
  }

  /// embedding [B, H] of each text, by the given parameters; dropout off without random numbers. The batch may be a
  /// part of a larger one, where its first text has number first_example: then it gets the masks of the whole.
  void embed(const ParameterBlock& values, const Batch& batch, const std::optional<Rng>& dropout, View embedding,
             index_t first_example = 0) const {
    const auto workspace = workspaces_->lend();
    const ForwardOptions options{.pooling = pooling(), .dropout = dropout, .first_example = first_example};
    encoder_.encode(values, input_type(batch), options, embedding, *workspace, *workers_);
  }

  /// Projected features [B, D] of each text by the given parameters, prepared by the metric.
  void project(const ParameterBlock& values, const Batch& batch, const std::optional<Rng>& dropout, View features,
               index_t first_example = 0) const {
    const auto scratch = projections_->lend();
    scratch->embedding.resize(batch.size(), width());
    embed(values, batch, dropout, scratch->embedding, first_example);
    projection_.forward(values, scratch->embedding, dropout, first_example, scratch->tape, features);
    metric_.prepare(features);
  }

  /// What the datastore compares, [B, feature_width()], from embeddings.
  void features_of(ConstView embedding, View features) const {
    head_tape_type tape;
    if (options_.feature == Feature::contrastive)
      projection_.forward(values_, embedding, std::nullopt, 0, tape, features);
    else copy(embedding, features);
    metric_.prepare(features);
  }

  /// logits [B, C] from embeddings.
  void logits_of(ConstView embedding, View logits) const {
    head_tape_type tape;
    head_.forward(values_, embedding, std::nullopt, 0, tape, logits);
  }

  /// An empty queue of projected features, on the device of the options if it is one that chooses, for labels below
  /// `labels` if it asks.  Errors: OptionError for a choice where the stack's queue leaves none.
  template <class Queue>
  std::shared_ptr<Queue> make_queue(index_t capacity, const QueueChoice& choice, index_t labels) const {
    if constexpr (requires { Queue(capacity, index_t{1}, labels, metric_, choice); })
      return std::make_shared<Queue>(capacity, projection_width(), labels, metric_, choice);
    if (choice != QueueChoice{})
      raise<OptionError>(
          "Network::make_queue: another queue or rule for positives given, but the stack's queue_type is always the "
          "same: SelectedQueue expected");
    if constexpr (requires { Queue(capacity, index_t{1}, metric_, options_.device); })
      return std::make_shared<Queue>(capacity, projection_width(), metric_, options_.device);
    else if constexpr (requires { Queue(capacity, index_t{1}, labels, metric_); })
      return std::make_shared<Queue>(capacity, projection_width(), labels, metric_);
    else return std::make_shared<Queue>(capacity, projection_width(), metric_);
  }

  /// A head's tape, as its member `tape`, for passes through projection() outside of project().
  auto lend_projection() const { return projections_->lend(); }

 private:
  /// Encoders of this library compute in main memory; one that knows devices takes the name of one.
  static encoder_type make_encoder(const typename encoder_type::config_type& config, const ClassifierOptions& options) {
    if constexpr (requires { encoder_type(config, options.device); }) return encoder_type(config, options.device);
    else {
      if (options.device != "cpu")
        raise<OptionError>("ClassifierOptions::device: '{}' given, but this stack's encoder knows 'cpu' only",
                           options.device);
      return encoder_type(config);
    }
  }
  static constexpr Layout weight_layout() {
    if constexpr (requires { encoder_type::weight_layout; }) return encoder_type::weight_layout;
    else return Layout::panels;
  }

  struct ProjectionScratch {
    Matrix embedding;
    head_tape_type tape;
  };

  ClassifierOptions options_;
  encoder_type encoder_;
  head_type head_, projection_;
  metric_type metric_;
  ParameterBlock values_;
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<LeasePool<workspace_type>> workspaces_ = std::make_unique<LeasePool<workspace_type>>();
  std::unique_ptr<LeasePool<ProjectionScratch>> projections_ = std::make_unique<LeasePool<ProjectionScratch>>();
};

}  // namespace knnbert::inline v0_1
