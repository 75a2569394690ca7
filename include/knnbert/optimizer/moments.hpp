#pragma once
#include <algorithm>
#include <vector>

#include "knnbert/core/buffer.hpp"
#include "knnbert/core/error.hpp"

namespace knnbert::inline v0_1::detail {

/// One float of optimizer state for every element of a parameter block; empty until the first step.
class Moments {
 public:
  float* data() { return floats_.data(); }
  index_t size() const { return floats_.size(); }
  std::span<const float> floats() const { return floats_.span(); }

  /// Zeros at the first call.  Errors: ShapeError, if the state belongs to a block of another size.
  void require(std::string_view where, index_t size) {
    if (floats_.size() == 0) floats_.reserve(size);
    if (floats_.size() != size)
      raise<ShapeError>("{}: state for {} floats but {} parameters", where, floats_.size(), size);
  }

  /// What the archive makes of this state.
  template <class Archive>
  Moments exchanged(Archive& ar, const char* name) const {
    std::vector<float> values(floats_.span().begin(), floats_.span().end());
    ar(name, values);
    Moments result;
    result.floats_.reserve(std::ssize(values));
    std::copy(values.begin(), values.end(), result.floats_.data());
    return result;
  }

 private:
  AlignedBuffer<float> floats_;
};

}  // namespace knnbert::inline v0_1::detail
