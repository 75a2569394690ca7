#pragma once
#include "knnbert/evaluate/targets.hpp"
#include "knnbert/model/classifier.hpp"
#include "knnbert/train/report.hpp"

namespace knnbert::inline v0_1 {

/// Dev data with labels that a model understands. Sets of classes and numbers may be others than those of training.
/// Errors: FormatError for a class that the model does not have.
template <class Stack>
Dataset dev_of(const Classifier<Stack>& model, const Dataset& dev) {
  return dev.size() && model.task().task == Task::single_label ? dev.with_classes(*model.classes()) : dev;
}

/// Labeled texts whose scores choose the best epoch: the metric of the options, or of sets of classes the micro F1 at
/// the thresholds that best_thresholds() finds on these texts, of numbers Pearson's r.
template <class Stack>
class DevData {
 public:
  /// Errors: FormatError as dev_of; ShapeError for a text without label; OptionError for a positive class that there is
  /// not.
  DevData(const Classifier<Stack>& model, const Dataset& dev, const TrainerOptions& options)
      : task_(model.task().task), options_(options), data_(dev_of(model, dev)),
        tokens_(model.tokenize(data_.texts(), data_.pairs())), classes_(std::ssize(*model.classes())) {
    if (data_.size() == 0) return;
    for (index_t i = 0; i < data_.size(); ++i)
      if (data_.label(i) == no_label) raise<ShapeError>("{} has no label", data_.location(i));
    if (task_ != Task::single_label) gold_ = gold_outputs(data_, task_, model.task().separator, model.task().outputs);
    else if (options.metric == Score::f1 && (options.positive < 0 || options.positive >= classes_))
      raise<OptionError>("TrainerOptions::positive: class {} of {} given, 0 to {} expected", options.positive, classes_,
                         classes_ - 1);
  }

  index_t size() const { return data_.size(); }
  const Batch& tokens() const { return tokens_; }
  const Dataset& data() const { return data_; }

  /// Each process answers its range of the texts.
  Scores scores(const Classifier<Stack>& model, const Team& team) const {
    const Range range = team.own_range(size());
    const Batch own = tokens_.slice(range.begin, range.end - range.begin);
    if (!options_.rebuild_store) return {.head = score(model.head_distributions(own), team)};
    const Distributions found = model.distributions(own);
    return {score(found.head, team), score(found.knn, team), score(found.combined, team)};
  }

 private:
  /// Of all dev data, from the answers to this process' range.
  double score(const Matrix& own, const Team& team) const {
    if (task_ == Task::single_label) {
      const auto labels = argmax_rows(own);
      const auto all = gather_values(team, std::span<const label_t>(labels));
      return score_of(ConfusionMatrix(data_.labels(), all, classes_), options_.metric, options_.positive).value;
    }
    std::vector<float> known;  // without classes that were added after training
    for (index_t i = 0; i < own.rows(); ++i)
      known.insert(known.end(), own.row(i).begin(), own.row(i).begin() + gold_.cols());
    const auto all = gather_values(team, std::span<const float>(known));
    const ConstView answers(all.data(), gold_.rows(), gold_.cols());
    if (task_ == Task::regression) return regression_scores(gold_, answers).pearson.value;
    return multi_label_scores(gold_, answers, best_thresholds(gold_, answers)).micro_f1.value;
  }

  Task task_;
  const TrainerOptions& options_;
  Dataset data_;
  Batch tokens_;
  index_t classes_;
  Matrix gold_;
};

}  // namespace knnbert::inline v0_1
