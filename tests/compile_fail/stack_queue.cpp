// expect: Stack::queue_type<metric_type>: a TrainingQueue expected, as queue/concept.hpp says
#include "knnbert/model/classifier_files.hpp"
#include "knnbert/term/queue_contrastive.hpp"

struct Stack : knnbert::DefaultStack {
#ifndef KNNBERT_FIXED
  template <class Metric>
  struct queue_type : knnbert::FifoQueue<Metric> {
    using knnbert::FifoQueue<Metric>::FifoQueue;
    void push(std::span<const float> key, knnbert::label_t label);  // one key at a time
  };
#endif
};

const auto size = sizeof(knnbert::bound_term<knnbert::QueueContrastive, knnbert::Network<Stack>>);
