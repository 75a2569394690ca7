// expect: Stack::encoder_type: a TrainableEncoder expected for training, as encoder/concept.hpp says
#include "knnbert/model/network.hpp"
#include "knnbert/model/stack.hpp"
#include "knnbert/testing/archetypes.hpp"
#include "knnbert/train/stepper.hpp"

// It encodes, and has neither forward nor backward.
struct Stack : knnbert::DefaultStack {
#ifdef KNNBERT_FIXED
  using encoder_type = knnbert::testing::TrainableEncoderArchetype;
#else
  using encoder_type = knnbert::testing::EncoderArchetype;
#endif
};

template class knnbert::Stepper<knnbert::Network<Stack>, knnbert::TrainingData>;
