#pragma once
#include "knnbert/evaluate/evaluation.hpp"
#include "knnbert/model/classifier.hpp"

namespace knnbert::inline v0_1 {

/// Labeled texts, with a model's labels, and what the model says of them.
struct Judged {
  Dataset data;
  Answers answers;
  Evaluation evaluation;
};

/// The examples with the labels of a model.  Errors: OptionError for a model of sets or numbers, for which
/// evaluate/targets.hpp has scores; FormatError for a class that the model does not have, and without any example;
/// ShapeError for an example without label.
template <class Stack>
Dataset labeled_for(const Classifier<Stack>& model, const Dataset& data) {
  if (model.task().task != Task::single_label)
    raise<OptionError>("judge: a model of sets or numbers given, one with one class a text expected");
  Dataset own = data.with_classes(*model.classes(), "the model's");
  if (own.size() == 0) raise<FormatError>("no labeled examples to evaluate");
  for (index_t i = 0; i < own.size(); ++i)
    if (own.label(i) == no_label) raise<ShapeError>("judge: {} has no label", own.location(i));
  return own;
}

/// What answer(examples) says of the examples, which have the labels of a model.  Errors: as labeled_for; what it
/// throws.
template <class Stack, std::invocable<const Dataset&> Answer>
Judged judge(const Classifier<Stack>& model, const Dataset& data, Answer&& answer) {
  Judged judged{labeled_for(model, data), {}, {}};
  judged.answers = answer(std::as_const(judged.data));
  const auto& d = judged.answers.distributions;
  judged.evaluation = evaluate(judged.data.labels(), {d.knn, d.head, d.combined}, judged.data.classes());
  return judged;
}

/// The same of the model's own answers.  Errors: as labeled_for and Classifier::predict.
template <class Stack>
Judged judge(const Classifier<Stack>& model, const Dataset& data) {
  return judge(model, data,
               [&](const Dataset& own) { return model.answers(model.tokenize(own.texts(), own.pairs())); });
}

/// What a model achieves on labeled texts: accuracy, F1, calibration and more of neighbors, head and both.  Errors: as
/// judge.
template <class Stack>
Evaluation evaluate(const Classifier<Stack>& model, const Dataset& data) {
  return judge(model, data).evaluation;
}

}  // namespace knnbert::inline v0_1
