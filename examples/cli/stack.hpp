#pragma once
#include "knnbert/model/classifier_files.hpp"
#include "knnbert/voting/softmax_weighted.hpp"

namespace knnbert::cli {

/// The vote that --voting chooses.
struct SelectedVoting {
  enum class Kind { count, softmax } kind = Kind::count;
  float temperature = 0.1f;  ///< of softmax

  std::string name() const { return kind == Kind::count ? "count" : "softmax"; }
  void set_name(const std::string& name) {
    if (name != "count" && name != "softmax") raise<OptionError>("voting: '{}' given, count or softmax expected", name);
    kind = name == "count" ? Kind::count : Kind::softmax;
  }
  void operator()(std::span<const Neighbor> neighbors, std::span<float> probabilities) const {
    if (kind == Kind::count) return MajorityVoting{}(neighbors, probabilities);
    SoftmaxWeighted{temperature}(neighbors, probabilities);
  }
};

struct Stack : DefaultStack {
  using encoder_type = BasicBert<DefaultArch, AnyPrecision>;
  using voting_type = SelectedVoting;
  template <class Metric>
  using datastore_type = FlatDatastore<Metric, AnyPrecision>;
};
using Model = Classifier<Stack>;

}  // namespace knnbert::cli

// The kernels and the classifier are compiled once, in stack.cpp.
extern template class knnbert::BasicBert<knnbert::DefaultArch, knnbert::AnyPrecision>;
extern template class knnbert::Classifier<knnbert::cli::Stack>;
