// expect: Stack::fusion_type: a Fusion expected, as voting/concept.hpp says
#include "knnbert/model/classifier_files.hpp"

struct Stack : knnbert::DefaultStack {
#ifndef KNNBERT_FIXED
  struct fusion_type {
    float operator()(float head, float knn) const;
  };
#endif
};

using Model = knnbert::Classifier<Stack>;
const auto size = sizeof(Model);
