#pragma once
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace knnbert::inline v0_1 {

namespace detail {

/// A text or a number, so that one function puts together all messages. The text must outlive it.
class FormatArgument {
 public:
  FormatArgument(std::string_view text) : kind_(Kind::text), text_(text) {}
  FormatArgument(const char* text) : FormatArgument(std::string_view(text)) {}
  template <class Other>
    requires(!std::same_as<std::remove_cv_t<Other>, char>)
  FormatArgument(Other*)
  = delete;  // else a bool
  FormatArgument(bool value) : FormatArgument(value ? "true" : "false") {}
  FormatArgument(char value) : kind_(Kind::character), character_(value) {}
  FormatArgument(float value) : kind_(Kind::single), single_(value) {}
  FormatArgument(double value) : kind_(Kind::real), real_(value) {}
  template <std::signed_integral Number>
  FormatArgument(Number value) : kind_(Kind::integer), integer_(value) {}
  template <std::unsigned_integral Number>
  FormatArgument(Number value) : kind_(Kind::natural), natural_(value) {}

  void append_to(std::string& out) const;

 private:
  enum class Kind { text, character, integer, natural, single, real };
  Kind kind_;
  union {
    std::string_view text_;
    char character_;
    std::int64_t integer_;
    std::uint64_t natural_;
    float single_;
    double real_;
  };
};

std::string format_all(std::string_view pattern, std::initializer_list<FormatArgument> arguments);

struct Formatter {
  template <class... Arguments>
  std::string operator()(std::string_view pattern, const Arguments&... arguments) const {
    return format_all(pattern, {FormatArgument(arguments)...});
  }
};

}  // namespace detail

/// Replaces each {} of pattern by the next argument; numbers in their shortest exact form. A stand-in for std::format
/// (absent from libstdc++ 12) that knows no format specifications. An object, so that the arguments of a call, strings
/// of std, do not bring std::format into it.
inline constexpr detail::Formatter format{};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/core/format_impl.hpp"
#endif
