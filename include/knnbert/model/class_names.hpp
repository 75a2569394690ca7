#pragma once
#include <memory>
#include <span>
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

  /// How a name may be spelled otherwise: names of one plain form are one class.
  using Plain = std::string (*)(const std::string& name);

  /// The labels of names; new ones are added in their order, all of them or none. A name that is not there is the first
  /// one with the same plain form, if there is a plain form.  Errors: OptionError for malformed UTF-8.  Cost: as many
  /// steps as there are names here and there.
  std::vector<label_t> require(std::span<const std::string> names, Plain plain = nullptr);

 private:
  bool replace(const List& seen, List longer);

  mutable OwnMutex mutex_;
  OwnMutex changing_;
  List list_;
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/model/class_names_impl.hpp"
#endif
