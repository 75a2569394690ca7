// expect: identity\(sink\) and values_to_evaluate\(\) of a training term are called on const objects
#include "knnbert/model/network.hpp"
#include "knnbert/model/stack.hpp"
#include "knnbert/train/stepper.hpp"

struct Term {
  static constexpr std::string_view name = "mine";
  template <class Context>
  knnbert::TermValue add(Context&) {
    return std::nullopt;
  }
  template <class Sink>
  void identity(Sink&& sink)
#ifdef KNNBERT_FIXED
      const
#endif
  {
    sink("weight", weight);
  }
  float weight = 1;
};

const auto size = sizeof(knnbert::Stepper<knnbert::Network<knnbert::DefaultStack>, knnbert::TrainingData, Term>);
