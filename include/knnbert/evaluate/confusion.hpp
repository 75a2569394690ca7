#pragma once
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "knnbert/core/error.hpp"
#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// How often an example of each gold class was given each predicted class; all metrics of decisions derive from it.
/// Only what occurs takes memory: many classes have few confusions.
class ConfusionMatrix {
 public:
  ConfusionMatrix() = default;
  /// Errors: OptionError if classes < 0.
  explicit ConfusionMatrix(index_t classes) : classes_(classes) {
    if (classes < 0) raise<OptionError>("ConfusionMatrix: {} classes given, at least 0 expected", classes);
    const auto size = static_cast<std::size_t>(classes);
    gold_counts_.resize(size);
    predicted_counts_.resize(size);
  }
  /// Counts pairs of labels.  Shapes: gold, predicted [N], each in [0, classes).  Errors: ShapeError.
  ConfusionMatrix(std::span<const label_t> gold, std::span<const label_t> predicted, index_t classes)
      : ConfusionMatrix(classes) {
    if (gold.size() != predicted.size())
      raise<ShapeError>("ConfusionMatrix: {} gold labels but {} predictions", gold.size(), predicted.size());
    for (std::size_t i = 0; i < gold.size(); ++i) add(gold[i], predicted[i]);
  }

  /// Errors: ShapeError if a label is outside [0, classes).
  void add(label_t gold, label_t predicted) {
    require_label(gold);
    require_label(predicted);
    ++cells_[{gold, predicted}];
    ++gold_counts_[static_cast<std::size_t>(gold)];
    ++predicted_counts_[static_cast<std::size_t>(predicted)];
    ++total_;
    if (gold == predicted) ++correct_;
  }

  index_t classes() const { return classes_; }
  index_t total() const { return total_; }
  index_t correct() const { return correct_; }
  /// Zero where nothing was counted.
  index_t operator()(index_t gold, index_t predicted) const {
    const auto found = cells_.find({static_cast<label_t>(gold), static_cast<label_t>(predicted)});
    return found == cells_.end() ? 0 : found->second;
  }
  /// The counts that are not 0 by (gold, predicted), ascending.
  const std::map<std::pair<label_t, label_t>, index_t>& cells() const { return cells_; }
  index_t gold_count(index_t label) const { return gold_counts_[static_cast<std::size_t>(label)]; }
  index_t predicted_count(index_t label) const { return predicted_counts_[static_cast<std::size_t>(label)]; }

 private:
  void require_label(label_t label) const {
    if (label < 0 || label >= classes_)
      raise<ShapeError>("ConfusionMatrix::add: label {} given, labels in [0, {}) expected", label, classes_);
  }

  index_t classes_ = 0, total_ = 0, correct_ = 0;
  std::map<std::pair<label_t, label_t>, index_t> cells_;
  std::vector<index_t> gold_counts_, predicted_counts_;
};

}  // namespace knnbert::inline v0_1
