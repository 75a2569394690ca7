#pragma once
#include "knnbert/datastore/concept.hpp"
#include "knnbert/loss/concept.hpp"
#include "knnbert/metric/concept.hpp"
#include "knnbert/optimizer/concept.hpp"
#include "knnbert/queue/concept.hpp"
#include "knnbert/voting/concept.hpp"

/// The least that models each concept. A template that compiles with an archetype asks for no more than its concept
/// says.
namespace knnbert::testing {

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

struct DatastoreArchetype {
  using metric_type = MetricArchetype;
  std::vector<example_id> add(ConstView, std::span<const label_t>, std::span<const std::string>) { return {}; }
  index_t remove(std::span<const example_id>) { return 0; }
  NeighborLists search(ConstView, index_t) const { return {}; }
  index_t size() const { return 0; }
  index_t width() const { return 1; }
  metric_type metric() const { return {}; }
  std::string text(example_id) const { return {}; }
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
};

struct ScheduleArchetype {
  double operator()(index_t) const { return 1; }
};

static_assert(Metric<MetricArchetype> && !DifferentiableMetric<MetricArchetype> &&
              DifferentiableMetric<DifferentiableMetricArchetype>);
static_assert(PositivePolicy<PositivePolicyArchetype> && Queue<QueueArchetype> && Datastore<DatastoreArchetype>);
static_assert(Voting<VotingArchetype> && Fusion<FusionArchetype>);
static_assert(Loss<LossArchetype> && Divergence<DivergenceArchetype>);
static_assert(Optimizer<OptimizerArchetype> && Schedule<ScheduleArchetype>);

}  // namespace knnbert::testing
