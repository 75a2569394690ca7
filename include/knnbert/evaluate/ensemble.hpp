#pragma once
#include "knnbert/evaluate/judge.hpp"
#include "knnbert/model/stored_examples.hpp"

/// Several models as one: self-ensemble's baselines BERT_VOTE and BERT_AVG.  arXiv 2002.10345, section 3.
namespace knnbert::inline v0_1 {

namespace detail {

template <class Stack>
void require_same_classes(const Classifier<Stack>& first, const Classifier<Stack>& other, index_t number) {
  if (first.task().task != other.task().task)
    raise<FormatError>("ensemble: model {} is of another task than the first one, the same expected", number);
  if (*first.classes() == *other.classes()) return;
  raise<FormatError>("ensemble: model {} has {} classes, the {} classes of the first one in their order expected",
                     number, other.classes()->size(), first.classes()->size());
}

}  // namespace detail

/// What models say of the same texts, averaged: each of the three distributions is the mean of theirs; of the answers
/// there is nothing else.
/// Errors: FormatError for models of other classes; ShapeError for no model; as Classifier::distributions.
template <class Stack>
Judged judge_together(std::span<const Classifier<Stack>* const> models, const Dataset& data) {
  if (models.empty()) raise<ShapeError>("judge_together: no model given, at least one expected");
  for (std::size_t i = 1; i < models.size(); ++i)
    detail::require_same_classes(*models.front(), *models[i], static_cast<index_t>(i + 1));
  Judged judged = judge(*models.front(), data);
  judged.answers = {{}, {}, {}, std::move(judged.answers.distributions)};
  Distributions& mean = judged.answers.distributions;
  for (const auto* model : models.subspan(1)) {
    const Distributions own = model->distributions(model->tokenize(judged.data.texts(), judged.data.pairs()));
    add_rows(own.knn, mean.knn), add_rows(own.head, mean.head), add_rows(own.combined, mean.combined);
  }
  for (Matrix* m : {&mean.knn, &mean.head, &mean.combined}) scale_rows(*m, 1 / static_cast<float>(models.size()));
  judged.evaluation = evaluate(judged.data.labels(), {mean.knn, mean.head, mean.combined}, judged.data.classes());
  return judged;
}

/// A model becomes the mean of itself and of others that started from the same encoder and heads: add() each, then
/// finish(), which encodes the datastore's texts anew.
template <class Stack>
class ModelAverage {
 public:
  /// The model must outlive it.  Errors: OptionError for a model without all values, StateError for one with keys
  /// without texts.
  explicit ModelAverage(Classifier<Stack>& model) : model_(model), examples_(stored_examples(model)) {
    model.network().values().require_complete("ModelAverage");
    for (index_t i = 0; i < examples_.size(); ++i)
      if (examples_.text(i).empty() && examples_.pair(i).empty())
        raise<StateError>("ensemble: example {} of the datastore has no text to encode anew",
                          model.datastore().ids()[static_cast<std::size_t>(i)]);
  }

  /// Errors: FormatError for a model of other classes or parameters, and for one whose numbers have another scale.
  void add(const Classifier<Stack>& other) {
    detail::require_same_classes(model_, other, count_ + 1);
    const ParameterBlock& values = other.network().values();
    values.require_complete("ModelAverage");
    ParameterBlock& mean = model_.network().values();
    if (!same_parameters(values.table(), mean.table()))
      raise<FormatError>("ensemble: model {} has other parameters than the first one, the same expected", count_ + 1);
    if (const auto& own = model_.task(), &its = other.task(); its.mean != own.mean || its.scale != own.scale)
      raise<FormatError>(
          "ensemble: model {} was trained for numbers of mean {} and scale {}, the first one for {} and {}, the same "
          "expected",
          count_ + 1, its.mean, its.scale, own.mean, own.scale);
    ++count_;
    const float rate = 1 / static_cast<float>(count_), *from = values.data();
    float* to = mean.data();
    for (index_t i = 0; i < mean.size(); ++i) to[i] += rate * (from[i] - to[i]);
  }

  /// Encodes anew the examples that the model had when this began.
  void finish() {
    model_.network().lower(model_.network().values());
    model_.index(examples_);
  }

 private:
  static bool same_parameters(const ParameterTable& a, const ParameterTable& b) {
    return std::equal(a.all().begin(), a.all().end(), b.all().begin(), b.all().end(),
                      [](const Parameter& p, const Parameter& q) {
                        return p.name == q.name && p.offset == q.offset && p.rows == q.rows && p.cols == q.cols;
                      });
  }

  Classifier<Stack>& model_;
  Dataset examples_;
  index_t count_ = 1;
};

}  // namespace knnbert::inline v0_1
