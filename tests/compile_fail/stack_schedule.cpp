// expect: Stack::schedule_type: a TrainingSchedule expected, as optimizer/concept.hpp says
#include "knnbert/term/cross_entropy.hpp"
#include "knnbert/train/trainer.hpp"

struct Stack : knnbert::DefaultStack {
#ifndef KNNBERT_FIXED
  using schedule_type = knnbert::CosineSchedule;  // without knowing the run
#endif
};

const auto size = sizeof(knnbert::Trainer<Stack, knnbert::CrossEntropy>);
