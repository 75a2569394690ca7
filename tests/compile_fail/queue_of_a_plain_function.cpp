// expect: metric\.prepare\(rows\).*invalid
#include "knnbert/metric/pairwise.hpp"
#include "knnbert/queue/fifo.hpp"

struct Manhattan {
  float operator()(std::span<const float>, std::span<const float>) const { return 0; }
};

#ifdef KNNBERT_FIXED
knnbert::FifoQueue<knnbert::Pairwise<Manhattan>>* queue = nullptr;
#else
knnbert::FifoQueue<Manhattan>* queue = nullptr;
#endif
