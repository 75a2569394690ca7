// expect: Stack::queue_type<metric_type>: a TrainingQueue expected, as queue/concept.hpp says
#include "knnbert/model/classifier_files.hpp"
#include "knnbert/term/queue_contrastive.hpp"

struct Stack : knnbert::DefaultStack {
#ifndef KNNBERT_FIXED
  template <class>
  struct queue_type {};  // not even a metric
#endif
};

const auto size = sizeof(knnbert::bound_term<knnbert::QueueContrastive, knnbert::Network<Stack>>);
