#pragma once
#include <stdexcept>

#include "knnbert/config.hpp"
#include "knnbert/core/format.hpp"

namespace knnbert::inline v0_1 {

/// Base of everything the library throws on purpose; what() reads `Type::member: what was given, what was expected`.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct ShapeError : Error {
  using Error::Error;
};  ///< sizes that do not fit together
struct FormatError : Error {
  using Error::Error;
};  ///< a file or text whose content breaks its format
struct IoError : Error {
  using Error::Error;
};  ///< the operating system refused an operation on a file
struct OptionError : Error {
  using Error::Error;
};  ///< a setting outside its range, or settings that exclude each
    ///< other
struct StateError : Error {
  using Error::Error;
};  ///< a call at a moment when it has no answer, such as before
    ///< training

/// Throws E with the formatted message.
template <class E, class... Arguments>
[[noreturn]] void raise(std::string_view pattern, const Arguments&... arguments) {
  throw E(format(pattern, arguments...));
}

}  // namespace knnbert::inline v0_1
