#pragma once
#include <map>

#include "knnbert/core/checksum.hpp"

/// The checksum in the metadata of a safetensors file: of the other metadata, sorted, then of all tensors in their
/// order.
namespace knnbert::inline v0_1::detail {

inline constexpr const char* checksum_key = "checksum";

/// One of the metadata, which the tensors' bytes follow.
inline Checksum checksum_of(const std::map<std::string, std::string>& metadata) {
  Checksum checksum;
  for (const auto& [key, value] : metadata) {
    if (key == checksum_key) continue;
    for (const std::string& text : {key, value}) {
      checksum.update(std::to_string(text.size()) + ":");
      checksum.update(text);
    }
  }
  return checksum;
}

}  // namespace knnbert::inline v0_1::detail
