// expect: Trainer::fit: an Observer expected, as train/report.hpp says
#include "knnbert/model/stack.hpp"
#include "knnbert/term/cross_entropy.hpp"
#include "knnbert/train/trainer.hpp"

struct Hearing {
  void step(const knnbert::StepReport&) {}
  void epoch(const knnbert::EpochReport&) {}
#ifdef KNNBERT_FIXED
  bool stop_requested() const { return false; }
#endif
};

knnbert::FitReport fit(knnbert::Classifier<knnbert::DefaultStack>& model, const knnbert::Dataset& data) {
  return knnbert::Trainer(model, {}, knnbert::CrossEntropy{}).fit(data, {}, Hearing());
}
