// expect: Stack::queue_type<metric_type>: a TrainingQueue expected, as queue/concept.hpp says
#include "knnbert/model/classifier_files.hpp"
#include "knnbert/term/queue_contrastive.hpp"
#include "knnbert/testing/archetypes.hpp"

struct Stack : knnbert::DefaultStack {
#ifdef KNNBERT_FIXED
  template <class>
  using queue_type = knnbert::testing::TrainingQueueArchetype;
#else
  template <class>
  using queue_type = knnbert::testing::QueueArchetype;  // nobody can make it, or go on with it
#endif
};

const auto size = sizeof(knnbert::bound_term<knnbert::QueueContrastive, knnbert::Network<Stack>>);
