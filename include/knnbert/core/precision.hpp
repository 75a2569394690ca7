#pragma once
#include <string>
#include <string_view>

#include "knnbert/core/error.hpp"

namespace knnbert::inline v0_1 {

/// Numbers that the large products of an encoder multiply; sums, and everything else, stay fp32.
enum class Precision { fp32, bf16, int8 };

inline constexpr std::string_view precision_names[] = {"fp32", "bf16", "int8"};

inline std::string name_of(Precision p) { return std::string(precision_names[static_cast<std::size_t>(p)]); }

/// Errors: OptionError.
inline Precision precision_from(std::string_view name) {
  for (const auto p : {Precision::fp32, Precision::bf16, Precision::int8})
    if (precision_names[static_cast<std::size_t>(p)] == name) return p;
  raise<OptionError>("precision: '{}' given, fp32, bf16 or int8 expected", name);
}

}  // namespace knnbert::inline v0_1
