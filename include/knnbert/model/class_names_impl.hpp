#pragma once
#include <set>
#include <utility>

#include "knnbert/config.hpp"
#include "knnbert/model/class_names.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE ClassNames::ClassNames(std::vector<std::string> names) {
  if (names.empty()) raise<OptionError>("ClassNames: 0 classes given, at least 1 expected");
  std::set<std::string_view> seen;
  for (const auto& name : names)
    if (!seen.insert(name).second) raise<OptionError>("ClassNames: class '{}' given twice", name);
  list_ = std::make_shared<const std::vector<std::string>>(std::move(names));
}

KNNBERT_INLINE ClassNames::List ClassNames::list() const {
  const std::lock_guard lock(mutex_);
  return list_;
}

KNNBERT_INLINE label_t ClassNames::require(const std::string& name) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < list_->size(); ++i)
    if ((*list_)[i] == name) return static_cast<label_t>(i);
  auto longer = *list_;
  longer.push_back(name);
  list_ = std::make_shared<const std::vector<std::string>>(std::move(longer));
  return static_cast<label_t>(list_->size() - 1);
}

}  // namespace knnbert::inline v0_1
