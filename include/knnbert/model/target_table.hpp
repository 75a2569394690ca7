#pragma once
#include <memory>
#include <optional>

#include "knnbert/core/matrix.hpp"
#include "knnbert/core/own_mutex.hpp"
#include "knnbert/model/class_names.hpp"
#include "knnbert/text/dataset.hpp"
#include "knnbert/text/label_kind.hpp"

namespace knnbert::inline v0_1 {

/// What the labels of examples, the targets, mean for the outputs of a model: a set of classes is a row of zeros and
/// ones, a number a row of itself. A vote over targets so becomes a probability of every class, or a mean of numbers.
class TargetTable {
 public:
  /// outputs: classes that come first, in this order; those that they lack follow. A regression has one output.
  /// Errors: FormatError for a target of a regression that is no number of at most 1e30.
  TargetTable(Task task, std::string_view separator, std::vector<std::string> outputs,
              std::span<const std::string> targets);

  const std::vector<std::string>& outputs() const { return outputs_; }  // [C]
  const Matrix& rows() const { return rows_; }                          // [T, C]

  /// out [C] = sum over targets of vote_t row_t, of sets at most 1.  Shapes: vote [T].
  void map(std::span<const float> vote, std::span<float> out) const;

 private:
  static double value_of(const std::string& target);

  std::vector<std::string> outputs_;
  Matrix rows_;
  bool of_sets_;
};

/// What a model's outputs should be for labeled examples, [N, C].
/// Errors: FormatError for a class that is not among the outputs; ShapeError for an example without label.
Matrix gold_outputs(const Dataset& data, Task task, std::string_view separator,
                    const std::vector<std::string>& outputs);

/// The task of a classifier, with what it learned about its outputs.
struct TaskSettings {
  Task task = Task::single_label;
  std::string separator = "|";         ///< of the classes in the name of a set
  std::vector<std::string> outputs{};  ///< that the head knows, in its order; of one label a text: none
  std::vector<float> thresholds{};     ///< a class is told if its probability reaches it; 0.5 for those without one
  float mean = 0, scale = 1;           ///< a regression's head says (value - mean) / scale
  std::optional<bool> pairs{};         ///< whether examples are pairs of texts; none: not known

  float threshold(std::size_t output) const { return output < thresholds.size() ? thresholds[output] : 0.5f; }
};

/// The table of the names that a classifier has at a moment; made anew when there are more.  Thread safety: any.
class CurrentTable {
 public:
  std::shared_ptr<const TargetTable> of(const ClassNames::List& names, const TaskSettings& settings) const;

 private:
  mutable OwnMutex mutex_;
  mutable ClassNames::List names_;
  mutable std::shared_ptr<const TargetTable> table_;
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/model/target_table_impl.hpp"
#endif
