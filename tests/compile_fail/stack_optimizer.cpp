// expect: Stack::optimizer_type: a TrainingOptimizer expected, as optimizer/concept.hpp says
#include "knnbert/model/network.hpp"
#include "knnbert/model/stack.hpp"
#include "knnbert/train/stepper.hpp"

struct Stack : knnbert::DefaultStack {
#ifndef KNNBERT_FIXED
  struct optimizer_type {  // a step, but nobody can make it
    explicit optimizer_type(int);
    void step(knnbert::ParameterBlock&, knnbert::Gradients&, float, const knnbert::Workers&, std::span<const float>);
  };
#endif
};

const auto size = sizeof(knnbert::Stepper<knnbert::Network<Stack>, knnbert::TrainingData>);
