// expect: at most one term of a trainer may have values_to_evaluate\(\)
#include "knnbert/model/network.hpp"
#include "knnbert/model/stack.hpp"
#include "knnbert/train/stepper.hpp"

template <int>
struct Average {
  static constexpr std::string_view name = "average";
  template <class Context>
  knnbert::TermValue add(Context&) {
    return std::nullopt;
  }
  const knnbert::ParameterBlock* values_to_evaluate() const { return nullptr; }
};

#ifdef KNNBERT_FIXED
const auto size = sizeof(knnbert::Stepper<knnbert::Network<knnbert::DefaultStack>, knnbert::TrainingData, Average<1>>);
#else
const auto size =
    sizeof(knnbert::Stepper<knnbert::Network<knnbert::DefaultStack>, knnbert::TrainingData, Average<1>, Average<2>>);
#endif
