// expect: f\(a, b\).*invalid
#include "knnbert/metric/pairwise.hpp"

struct Manhattan {
#ifdef KNNBERT_FIXED
  float operator()(std::span<const float>, std::span<const float>) const { return 0; }
#else
  float operator()(std::span<const float>) const { return 0; }
#endif
};

knnbert::Pairwise<Manhattan> metric;
