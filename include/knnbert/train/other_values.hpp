#pragma once
#include <optional>
#include <utility>

#include "knnbert/core/parameters.hpp"

namespace knnbert::inline v0_1 {

/// As long as it lives, a block has the values of another one, if there is one; then its own again, also where an
/// exception ends it. The block must outlive it.
class OtherValues {
 public:
  OtherValues(ParameterBlock& values, const ParameterBlock* other) : values_(values) {
    if (other) own_ = std::exchange(values, *other);
  }
  OtherValues(const OtherValues&) = delete;
  OtherValues& operator=(const OtherValues&) = delete;
  ~OtherValues() {
    if (own_) values_ = std::move(*own_);
  }

 private:
  ParameterBlock& values_;
  std::optional<ParameterBlock> own_;
};

}  // namespace knnbert::inline v0_1
