// expect: Stack::metric_type: a Metric expected, as metric/concept.hpp says
#include "knnbert/model/classifier_files.hpp"

struct Stack : knnbert::DefaultStack {
#ifndef KNNBERT_FIXED
  struct metric_type {
    float operator()(std::span<const float> a, std::span<const float> b) const;
  };
#endif
};

using Model = knnbert::Classifier<Stack>;
const auto size = sizeof(Model);
