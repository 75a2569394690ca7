#pragma once
#include <algorithm>
#include <unordered_map>
#include <utility>

#include "knnbert/config.hpp"
#include "knnbert/model/target_table.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE TargetTable::TargetTable(Task task, std::string_view separator, std::vector<std::string> outputs,
                                        std::span<const std::string> targets)
    : outputs_(std::move(outputs)), of_sets_(task != Task::regression) {
  std::vector<std::vector<std::size_t>> members;
  if (!of_sets_) {
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
    if (!of_sets_) rows_(t, 0) = static_cast<float>(value_of(target));
    else
      for (const std::size_t c : members[static_cast<std::size_t>(t)]) rows_(t, static_cast<index_t>(c)) = 1;
  }
}

KNNBERT_INLINE void TargetTable::map(std::span<const float> vote, std::span<float> out) const {
  std::fill(out.begin(), out.end(), 0.0f);
  for (index_t t = 0; t < rows_.rows(); ++t)
    if (const float share = vote[static_cast<std::size_t>(t)]; share > 0)
      for (std::size_t c = 0; c < out.size(); ++c) out[c] += share * rows_(t, static_cast<index_t>(c));
  if (of_sets_)
    for (float& share : out) share = std::min(share, 1.0f);  // which rounding may exceed
}

KNNBERT_INLINE double TargetTable::value_of(const std::string& target) {
  const auto value = number_in(target);
  if (!value) raise<FormatError>("regression: label '{}' given, a number of at most 1e30 expected", target);
  return *value;
}

KNNBERT_INLINE Matrix gold_outputs(const Dataset& data, Task task, std::string_view separator,
                                   const std::vector<std::string>& outputs) {
  const TargetTable table(task, separator, outputs, data.classes());
  Matrix gold(data.size(), std::ssize(outputs));
  for (index_t i = 0; i < data.size(); ++i) {
    if (data.label(i) == no_label) raise<ShapeError>("{} has no label", data.location(i));
    const auto row = table.rows().row(data.label(i));
    for (std::size_t c = outputs.size(); c < row.size(); ++c)
      if (row[c] != 0)
        raise<FormatError>("{}: class '{}' is not among the {} of the model", data.location(i), table.outputs()[c],
                           outputs.size());
    std::copy_n(row.begin(), outputs.size(), gold.row(i).begin());
  }
  return gold;
}

KNNBERT_INLINE std::shared_ptr<const TargetTable> CurrentTable::of(const ClassNames::List& names,
                                                                   const TaskSettings& settings) const {
  const std::lock_guard lock(mutex_);
  if (names_ != names) {
    table_ = std::make_shared<const TargetTable>(settings.task, settings.separator, settings.outputs, *names);
    names_ = names;
  }
  return table_;
}

}  // namespace knnbert::inline v0_1
