#pragma once
#include "knnbert/datastore/concept.hpp"
#include "knnbert/encoder/concept.hpp"
#include "knnbert/loss/concept.hpp"
#include "knnbert/metric/concept.hpp"
#include "knnbert/nn/head.hpp"
#include "knnbert/optimizer/concept.hpp"
#include "knnbert/queue/concept.hpp"
#include "knnbert/text/concept.hpp"
#include "knnbert/voting/concept.hpp"

/// The least that models each concept. A template that compiles with an archetype asks for no more than its concept
/// says.
namespace knnbert::inline v0_1::testing {

struct MetricArchetype {
  void prepare(View) const {}
  void score(ConstView, ConstView, View out) const {
    for (index_t i = 0; i < out.rows(); ++i) std::fill(out.row(i).begin(), out.row(i).end(), 0.0f);
  }
};

struct DifferentiableMetricArchetype : MetricArchetype {
  void prepare_backward(ConstView, ConstView, ConstView, View d_raw) const {
    for (index_t i = 0; i < d_raw.rows(); ++i) std::fill(d_raw.row(i).begin(), d_raw.row(i).end(), 0.0f);
  }
  void backward(ConstView, ConstView, ConstView, ConstView, View) const {}
};

struct PositivePolicyArchetype {
  index_t count(index_t, index_t, const ContrastOptions&) const { return 0; }
  void choose(const Candidates&, const ContrastOptions&, const Rng&, std::vector<Scored>&) const {}
};

struct QueueArchetype {
  using metric_type = DifferentiableMetricArchetype;
  void push(ConstView, std::span<const label_t>) {}
  void clear() {}
  index_t size() const { return 0; }
  index_t capacity() const { return 1; }
  index_t width() const { return 1; }
  std::span<const label_t> labels() const { return {}; }
  const metric_type& metric() const { return metric_; }
  index_t count_valid(std::span<const label_t>) const { return 0; }
  ContrastOptions for_batch(std::span<const label_t>, const ContrastOptions& options) const { return options; }
  ContrastReport contrast(ConstView, std::span<const label_t>, const ContrastOptions&, const Rng&, View) const {
    return {};
  }

 private:
  metric_type metric_;
};

struct TrainingQueueArchetype : QueueArchetype {
  TrainingQueueArchetype(index_t, index_t, const metric_type&) {}
  template <class Archive>
  void archive(Archive&) {}
};

struct TokenizerArchetype {
  void append(std::string_view, Batch& batch, index_t) const {
    for (const token_t id : {0, 1}) batch.ids.push_back(id);
    batch.close_text();
  }
  void append(std::string_view first, std::string_view, Batch& batch, index_t max_length) const {
    append(first, batch, max_length);
  }
  index_t vocabulary_size() const { return 2; }
  SpecialTokens special() const { return {}; }
  static TokenizerArchetype load(const std::filesystem::path&) { return {}; }
  void save(const std::filesystem::path&) const {}
};

/// Three numbers, whatever the text.
struct EncoderArchetype {
  struct config_type {};
  struct workspace_type {};

  explicit EncoderArchetype(const config_type&) {}
  void declare_dense(ParameterTable&) {}
  void declare_lookup(ParameterTable& table) { bias = table.add_lookup("bias", 1, 3); }
  index_t width() const { return 3; }
  index_t max_length() const { return 1000; }
  index_t vocabulary_size() const { return 2; }
  bool pools(Pooling) const { return true; }
  float dropout() const { return 0; }
  void encode(const ParameterBlock& values, const EncoderInput&, const ForwardOptions&, View embedding, workspace_type&,
              const Workers&) const {
    for (index_t i = 0; i < embedding.rows(); ++i) std::copy_n(values.slice(bias), 3, embedding.row(i).begin());
  }

 protected:
  index_t bias = -1;
};

struct TrainableEncoderArchetype : EncoderArchetype {
  class tape_type {
   public:
    const Batch& batch() const { return batch_; }
    ConstView embedding() const { return embedding_; }

   private:
    friend struct TrainableEncoderArchetype;
    Batch batch_;
    Matrix embedding_;
  };

  using EncoderArchetype::EncoderArchetype;
  void forward(const ParameterBlock& values, const EncoderInput& input, const ForwardOptions& options, tape_type& tape,
               workspace_type& workspace, const Workers& workers) const {
    tape.batch_ = input.batch;
    tape.embedding_.resize(input.batch.size(), width());
    encode(values, input, options, tape.embedding_, workspace, workers);
  }
  void backward(const ParameterBlock&, const tape_type&, const EncoderGradients& gradients, workspace_type&,
                const Workers&) const {
    if (!gradients.parameters) return;
    gradients.parameters->touch(0);
    for (index_t i = 0; i < gradients.d_embedding.rows(); ++i)
      for (index_t c = 0; c < width(); ++c) gradients.parameters->slice(bias)[c] += gradients.d_embedding(i, c);
  }
};

struct StoredEncoderArchetype : TrainableEncoderArchetype {
  struct checkpoint_type {
    explicit checkpoint_type(const std::filesystem::path&) {}
    config_type config() const { return {}; }
    void read(const StoredEncoderArchetype&, ParameterBlock&) const {}
    static void write_weights(const StoredEncoderArchetype&, const ParameterBlock&, const CheckpointFacts&,
                              const std::filesystem::path&) {}
  };
  using TrainableEncoderArchetype::TrainableEncoderArchetype;
};

/// Zeros, and a parameter that nothing moves.
struct HeadArchetype {
  struct tape_type {};

  static HeadArchetype declare(ParameterTable& table, const std::string& name, index_t inputs,
                               const HeadOptions& options) {
    HeadArchetype head;
    head.output_ = Linear::declare(table, name, options.outputs, inputs);
    return head;
  }
  index_t outputs() const { return output_.outputs; }
  const Linear& output() const { return output_; }
  void initialize(ParameterBlock&, const Rng&) const {}
  void forward(const ParameterBlock&, ConstView, const std::optional<Rng>&, index_t, tape_type&, View out) const {
    out.fill(0);
  }
  void backward(const ParameterBlock&, const tape_type&, ConstView, Gradients*, View, const Workers&) const {}

 private:
  Linear output_;
};

struct DatastoreArchetype {
  using metric_type = MetricArchetype;
  std::vector<example_id> add(ConstView, std::span<const label_t>, std::span<const std::string>) { return {}; }
  index_t remove(std::span<const example_id>) { return 0; }
  NeighborLists search(ConstView queries, index_t) const {
    NeighborLists none;
    for (index_t i = 0; i < queries.rows(); ++i) none.append({});
    return none;
  }
  index_t size() const { return 0; }
  index_t width() const { return 1; }
  metric_type metric() const { return {}; }
  std::string text(example_id) const { return {}; }
};

struct OwnedDatastoreArchetype : DatastoreArchetype {
  explicit OwnedDatastoreArchetype(index_t width) : width_(width) {}
  index_t width() const { return width_; }
  std::vector<example_id> ids() const { return {}; }

 private:
  index_t width_;
};

struct StoredDatastoreArchetype : OwnedDatastoreArchetype {
  using OwnedDatastoreArchetype::OwnedDatastoreArchetype;
  void save(const std::filesystem::path&, const std::string&, const std::vector<std::string>&) const {}
  static StoredDatastoreArchetype load(const std::filesystem::path&, const std::string&,
                                       const std::vector<std::string>&) {
    return StoredDatastoreArchetype(3);
  }
};

struct VotingArchetype {
  void operator()(std::span<const Neighbor>, std::span<float> probabilities) const {
    std::fill(probabilities.begin(), probabilities.end(), 1 / static_cast<float>(probabilities.size()));
  }
};

struct FusionArchetype {
  void operator()(std::span<const float> head, std::span<const float>, std::span<float> out) const {
    std::copy(head.begin(), head.end(), out.begin());
  }
};

struct LossArchetype {
  float operator()(ConstView, std::span<const label_t>, View) const { return 0; }
};

struct DivergenceArchetype {
  float operator()(ConstView, ConstView, View, View) const { return 0; }
  float operator()(ConstView, ConstView, View) const { return 0; }
};

struct OptimizerArchetype {
  void step(ParameterBlock&, Gradients&, float, const Workers&, std::span<const float>) {}
  static OptimizerArchetype make(float) { return {}; }
};

struct ScheduleArchetype {
  explicit ScheduleArchetype(const ScheduleOptions&) {}
  double operator()(index_t) const { return 1; }
};

static_assert(Metric<MetricArchetype> && !DifferentiableMetric<MetricArchetype> &&
              DifferentiableMetric<DifferentiableMetricArchetype>);
static_assert(PositivePolicy<PositivePolicyArchetype> && Queue<QueueArchetype> && !TrainingQueue<QueueArchetype> &&
              TrainingQueue<TrainingQueueArchetype> && Datastore<DatastoreArchetype>);
static_assert(OwnedDatastore<OwnedDatastoreArchetype> && StoredDatastore<StoredDatastoreArchetype>);
static_assert(Encoder<EncoderArchetype> && !TrainableEncoder<EncoderArchetype>);
static_assert(TrainableEncoder<TrainableEncoderArchetype> && StoredEncoder<StoredEncoderArchetype>);
static_assert(StoredTokenizer<TokenizerArchetype> && Head<HeadArchetype> && Head<MlpHead>);
static_assert(Voting<VotingArchetype> && Fusion<FusionArchetype>);
static_assert(Loss<LossArchetype> && Divergence<DivergenceArchetype>);
static_assert(TrainingOptimizer<OptimizerArchetype> && TrainingSchedule<ScheduleArchetype>);

}  // namespace knnbert::inline v0_1::testing
