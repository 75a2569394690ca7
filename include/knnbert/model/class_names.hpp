#pragma once
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "knnbert/core/error.hpp"
#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// Names of classes by label. It only grows, and readers keep the list they saw: names may be added while others
/// predict.
class ClassNames {
 public:
  using List = std::shared_ptr<const std::vector<std::string>>;

  /// Errors: OptionError for no names or repeated ones.
  explicit ClassNames(std::vector<std::string> names) {
    if (names.empty()) raise<OptionError>("ClassNames: 0 classes given, at least 1 expected");
    std::set<std::string_view> seen;
    for (const auto& name : names)
      if (!seen.insert(name).second) raise<OptionError>("ClassNames: class '{}' given twice", name);
    list_ = std::make_shared<const std::vector<std::string>>(std::move(names));
  }
  ClassNames(ClassNames&& other) noexcept : list_(std::move(other.list_)) {}

  List list() const {
    const std::lock_guard lock(mutex_);
    return list_;
  }

  /// The label of a name, which is added if it is new.
  label_t require(const std::string& name) {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < list_->size(); ++i)
      if ((*list_)[i] == name) return static_cast<label_t>(i);
    auto longer = *list_;
    longer.push_back(name);
    list_ = std::make_shared<const std::vector<std::string>>(std::move(longer));
    return static_cast<label_t>(list_->size() - 1);
  }

 private:
  mutable std::mutex mutex_;
  List list_;
};

}  // namespace knnbert::inline v0_1
