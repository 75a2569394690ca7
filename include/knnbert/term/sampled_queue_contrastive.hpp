#pragma once
#include "knnbert/queue/fifo.hpp"
#include "knnbert/term/queue_contrastive_options.hpp"
#include "knnbert/text/training_data.hpp"

namespace knnbert::inline v0_1 {

template <class Q = FifoQueue<>, class Sampler = SameClassSampler>
class BasicQueueContrastive;

/// BasicQueueContrastive with the queue of the model's stack; the sampler chooses which examples are encoded for a
/// query.
template <class Sampler = SameClassSampler>
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
