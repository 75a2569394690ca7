// expect: Stack::metric_type: a DifferentiableMetric expected for a contrast, as metric/concept.hpp says
#include "knnbert/metric/pairwise.hpp"
#include "knnbert/model/classifier_files.hpp"
#include "knnbert/term/queue_contrastive.hpp"

// A similarity without a gradient finds neighbors, but cannot be trained.
struct Manhattan {
  float operator()(std::span<const float> a, std::span<const float> b) const { return a[0] - b[0]; }
#ifdef KNNBERT_FIXED
  void gradient(std::span<const float> query, std::span<const float> key, float d_score,
                std::span<float> d_query) const;
#endif
};
struct Stack : knnbert::DefaultStack {
  using metric_type = knnbert::Pairwise<Manhattan>;
};

const auto size = sizeof(knnbert::bound_term<knnbert::QueueContrastive, knnbert::Network<Stack>>);
