#pragma once
#include "knnbert/evaluate/evaluation.hpp"
#include "stack.hpp"

namespace knnbert::cli {

/// Labeled data with the labels of a model, and what the model says of it.
struct Judged {
  Dataset data;
  Distributions distributions;
  Evaluation evaluation;
};

template <class S>
Judged judge(const Classifier<S>& model, const Dataset& read) {
  Judged judged{read.with_classes(*model.classes()), {}, {}};
  if (judged.data.size() == 0) raise<FormatError>("no labeled examples to evaluate");
  judged.distributions = model.distributions(model.tokenize(judged.data.texts(), judged.data.pairs()));
  const auto& d = judged.distributions;
  judged.evaluation = evaluate(judged.data.labels(), {d.knn, d.head, d.combined}, *model.classes());
  return judged;
}

}  // namespace knnbert::cli
