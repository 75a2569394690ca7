// expect: a training term is copyable and has a static name and a member TermValue add\(StepContext&\)
#include "knnbert/model/network.hpp"
#include "knnbert/model/stack.hpp"
#include "knnbert/train/stepper.hpp"

struct Term {
#ifdef KNNBERT_FIXED
  static constexpr std::string_view name = "mine";
#endif
  template <class Context>
  knnbert::TermValue add(Context&) {
    return std::nullopt;
  }
};

const auto size = sizeof(knnbert::Stepper<knnbert::Network<knnbert::DefaultStack>, knnbert::TrainingData, Term>);
