// expect: Stack::voting_type: a Voting expected, as voting/concept.hpp says
#include "knnbert/model/classifier_files.hpp"

struct Stack : knnbert::DefaultStack {
#ifndef KNNBERT_FIXED
  struct voting_type {
    float operator()(const knnbert::Neighbor& neighbor) const;
  };
#endif
};

using Model = knnbert::Classifier<Stack>;
const auto size = sizeof(Model);
