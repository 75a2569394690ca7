#pragma once
#include <new>
#include <string_view>

#include "knnbert/core/error.hpp"
#include "knnbert/torch/library.hpp"

namespace knnbert::inline v0_1 {

/// LibTorch refused an operation.
struct DeviceError : Error {
  using Error::Error;
};
/// A device has not enough memory for an operation. Parameters are as they were before; a backward pass may have added
/// a part of its gradients.
struct DeviceMemoryError : DeviceError {
  using DeviceError::DeviceError;
};

namespace detail {

inline std::string_view without_trace(std::string_view text) { return text.substr(0, text.find('\n')); }

[[noreturn]] inline void raise_out_of_memory(std::string_view where, std::string_view reason) {
  raise<DeviceMemoryError>(
      "{}: not enough memory on the device; fewer examples a part (TrainerOptions::part_size), recomputed activations "
      "(TrainerOptions::recompute), shorter texts (ClassifierOptions::max_length) or bf16 need less: {}",
      where, without_trace(reason));
}

/// f(), with the exceptions of LibTorch as the library's.
template <class F>
decltype(auto) guarded(std::string_view where, F&& f) {
  try {
    return f();
  } catch (const c10::OutOfMemoryError& error) {
    raise_out_of_memory(where, error.what_without_backtrace());
  } catch (const c10::Error& error) {
    const std::string_view reason = error.what_without_backtrace();
    // main memory has no type of its own
    if (reason.find("DefaultCPUAllocator") != reason.npos) raise_out_of_memory(where, reason);
    raise<DeviceError>("{}: {}", where, without_trace(reason));
  } catch (const std::bad_alloc&) { raise_out_of_memory(where, "main memory"); }
}

}  // namespace detail
}  // namespace knnbert::inline v0_1
