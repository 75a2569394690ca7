#pragma once
#include <memory>
#include <mutex>
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
  explicit ClassNames(std::vector<std::string> names);
  ClassNames(ClassNames&& other) noexcept : list_(std::move(other.list_)) {}

  List list() const;

  /// The label of a name, which is added if it is new.
  label_t require(const std::string& name);

 private:
  mutable std::mutex mutex_;
  List list_;
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/model/class_names_impl.hpp"
#endif
