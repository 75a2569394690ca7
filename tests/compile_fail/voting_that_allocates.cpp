// expect: voting\(neighbors, probabilities\).*invalid
#include <vector>

#include "knnbert/voting/concept.hpp"

struct NearestOnly {
#ifdef KNNBERT_FIXED
  void operator()(std::span<const knnbert::Neighbor>, std::span<float>) const {}
#else
  std::vector<float> operator()(std::span<const knnbert::Neighbor>) const { return {}; }
#endif
};

template <knnbert::Voting V>
struct Classifier {};

Classifier<NearestOnly> classifier;
