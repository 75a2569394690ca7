// expect: fusion\(head, knn, out\).*invalid
#include "knnbert/voting/concept.hpp"

struct HeadOnly {
#ifdef KNNBERT_FIXED
  void operator()(std::span<const float>, std::span<const float>, std::span<float>) const {}
#else
  void operator()(std::span<const float>, std::span<float>) const {}
#endif
};

template <knnbert::Fusion F>
struct Classifier {};

Classifier<HeadOnly> classifier;
