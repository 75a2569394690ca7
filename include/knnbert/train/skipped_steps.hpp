#pragma once
#include <string_view>

#include "knnbert/core/error.hpp"
#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// Counts the steps without a finite loss and gradient, which change nothing: parameters that give no other will not
/// recover.
class SkippedSteps {
 public:
  /// run: who takes the steps; option: what the highest learning rate is called.
  SkippedSteps(std::string_view run, std::string_view option, float rate) : run_(run), option_(option), rate_(rate) {}

  /// A step was taken, the given one of all, from 1.  Errors: Error for the 20th in a row.
  void add(bool finite, index_t step) {
    constexpr index_t most = 20;
    in_row_ = finite ? 0 : in_row_ + 1;
    count_ += !finite;
    if (in_row_ == most) refuse(step);
  }
  index_t count() const { return count_; }    ///< of all
  index_t in_row() const { return in_row_; }  ///< the last ones

  /// Throws an Error that says what to do.
  [[noreturn]] void refuse(index_t step) const {
    const bool moved = in_row_ < step;
    raise<Error>("{}: {} steps in a row had no finite loss and gradient, {} expected", run_, in_row_,
                 moved ? format("a smaller {} than {}", option_, rate_) : std::string("terms that give them"));
  }

 private:
  std::string_view run_, option_;
  float rate_;
  index_t in_row_ = 0, count_ = 0;
};

}  // namespace knnbert::inline v0_1
