#pragma once
#include "knnbert/core/error.hpp"
#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// A call that its listener asked to end; nothing was changed.
struct CancelledError : Error {
  using Error::Error;
};

/// Hears how far a long call is, and may end it.
class ProgressListener {
 public:
  virtual ~ProgressListener() = default;
  /// `done` of `total` texts; called now and then, at last with done = total.
  virtual void progress(index_t done, index_t total) = 0;
  virtual bool stop_requested() { return false; }
};

}  // namespace knnbert::inline v0_1
