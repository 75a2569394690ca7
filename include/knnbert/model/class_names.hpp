#pragma once
#include <memory>
#include <string>
#include <vector>

#include "knnbert/core/error.hpp"
#include "knnbert/core/own_mutex.hpp"
#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// Names of classes by label. Readers keep the list they saw: names may be added while others predict.
class ClassNames {
 public:
  using List = std::shared_ptr<const std::vector<std::string>>;

  /// Errors: OptionError for no names, repeated ones and malformed UTF-8.
  explicit ClassNames(std::vector<std::string> names);

  List list() const;

  /// To be held from require() until what bears the label is stored, or restore() has taken the names back.
  OwnMutex& changing() { return changing_; }
  /// To a list that was seen while changing() has been held, or to fewer names. Who read labels before must not ask for
  /// names that are gone.
  void restore(const List& before) {
    const std::lock_guard lock(mutex_);
    list_ = before;
  }

  /// The label of a name, which is added if it is new.  Errors: OptionError for malformed UTF-8.
  label_t require(const std::string& name);

 private:
  mutable OwnMutex mutex_;
  OwnMutex changing_;
  List list_;
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/model/class_names_impl.hpp"
#endif
