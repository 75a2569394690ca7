#pragma once
#include <memory>
#include <mutex>
#include <unordered_map>

#include "knnbert/core/matrix.hpp"
#include "knnbert/model/class_names.hpp"
#include "knnbert/text/dataset.hpp"
#include "knnbert/text/label_kind.hpp"

namespace knnbert::inline v0_1 {

/// What a model says of a text: one of the classes; any number of them, each by itself; or a number.
enum class Task { single_label, multi_label, regression };

inline constexpr LabelKind label_kind(Task task) {
  return task == Task::multi_label ? LabelKind::set : task == Task::regression ? LabelKind::number : LabelKind::name;
}

/// What the labels of examples, the targets, mean for the outputs of a model: a set of classes is a row of zeros and
/// ones, a number a row of itself. A vote over targets so becomes a probability of every class, or a mean of numbers.
class TargetTable {
 public:
  /// outputs: classes that come first, in this order; those that they lack follow. A regression has one output.
  /// Errors: FormatError for a target of a regression that is no finite number.
  TargetTable(Task task, std::string_view separator, std::vector<std::string> outputs,
              std::span<const std::string> targets)
      : outputs_(std::move(outputs)) {
    std::vector<std::vector<std::size_t>> members;
    if (task == Task::regression) {
      outputs_ = {"value"};
    } else {
      std::unordered_map<std::string, std::size_t> places;
      for (std::size_t c = 0; c < outputs_.size(); ++c) places.emplace(outputs_[c], c);
      for (const auto& target : targets) {
        members.emplace_back();
        for (const auto& name : names_in_set(target, separator)) {
          const auto [place, fresh] = places.emplace(name, outputs_.size());
          if (fresh) outputs_.push_back(name);
          members.back().push_back(place->second);
        }
      }
    }
    rows_.resize(std::ssize(targets), std::ssize(outputs_));
    rows_.fill(0);
    for (index_t t = 0; t < rows_.rows(); ++t) {
      const auto& target = targets[static_cast<std::size_t>(t)];
      if (task == Task::regression) rows_(t, 0) = static_cast<float>(value_of(target));
      else
        for (const std::size_t c : members[static_cast<std::size_t>(t)]) rows_(t, static_cast<index_t>(c)) = 1;
    }
  }

  const std::vector<std::string>& outputs() const { return outputs_; }  // [C]
  const Matrix& rows() const { return rows_; }                          // [T, C]

  /// out [C] = sum over targets of vote_t row_t.  Shapes: vote [T].
  void map(std::span<const float> vote, std::span<float> out) const {
    std::fill(out.begin(), out.end(), 0.0f);
    for (index_t t = 0; t < rows_.rows(); ++t)
      if (const float share = vote[static_cast<std::size_t>(t)]; share > 0)
        for (std::size_t c = 0; c < out.size(); ++c) out[c] += share * rows_(t, static_cast<index_t>(c));
  }

 private:
  static double value_of(const std::string& target) {
    const auto value = number_in(target);
    if (!value) raise<FormatError>("regression: label '{}' given, a finite number expected", target);
    return *value;
  }

  std::vector<std::string> outputs_;
  Matrix rows_;
};

/// What a model's outputs should be for labeled examples, [N, C].
/// Errors: FormatError for a class that is not among the outputs; ShapeError for an example without label.
inline Matrix gold_outputs(const Dataset& data, Task task, std::string_view separator,
                           const std::vector<std::string>& outputs) {
  const TargetTable table(task, separator, outputs, data.classes());
  if (table.outputs().size() > outputs.size())
    raise<FormatError>("{}: class '{}' is not among the {} of the model",
                       data.size() ? data.location(0) : std::string("data"), table.outputs()[outputs.size()],
                       outputs.size());
  Matrix gold(data.size(), std::ssize(outputs));
  for (index_t i = 0; i < data.size(); ++i) {
    if (data.label(i) == no_label) raise<ShapeError>("{} has no label", data.location(i));
    const auto row = table.rows().row(data.label(i));
    std::copy(row.begin(), row.end(), gold.row(i).begin());
  }
  return gold;
}

/// The task of a classifier, with what it learned about its outputs.
struct TaskSettings {
  Task task = Task::single_label;
  std::string separator = "|";         ///< of the classes in the name of a set
  std::vector<std::string> outputs{};  ///< that the head knows, in its order; of one label a text: none
  std::vector<float> thresholds{};     ///< a class is told if its probability reaches it; 0.5 for those without one
  float mean = 0, scale = 1;           ///< a regression's head says (value - mean) / scale

  float threshold(std::size_t output) const { return output < thresholds.size() ? thresholds[output] : 0.5f; }
};

/// The table of the names that a classifier has at a moment; made anew when there are more.  Thread safety: any.
class CurrentTable {
 public:
  CurrentTable() = default;
  CurrentTable(CurrentTable&& other) noexcept : names_(std::move(other.names_)), table_(std::move(other.table_)) {}

  std::shared_ptr<const TargetTable> of(const ClassNames::List& names, const TaskSettings& settings) const {
    const std::lock_guard lock(mutex_);
    if (names_ != names) {
      table_ = std::make_shared<const TargetTable>(settings.task, settings.separator, settings.outputs, *names);
      names_ = names;
    }
    return table_;
  }

 private:
  mutable std::mutex mutex_;
  mutable ClassNames::List names_;
  mutable std::shared_ptr<const TargetTable> table_;
};

}  // namespace knnbert::inline v0_1
