#pragma once
#include <map>

#include "knnbert/io/tensor_view.hpp"

namespace knnbert::inline v0_1 {

/// Content of a safetensors file, sorted by name; tensors point into the bytes that were parsed.
struct SafeTensorsHeader {
  std::vector<std::string> names;
  std::vector<TensorView> tensors;
  std::map<std::string, std::string> metadata;
  std::span<const std::byte> data;  ///< of all tensors, in the file's order
};

/// Checks and indexes the bytes of a safetensors file. `name` appears in messages.  Errors: FormatError.
SafeTensorsHeader parse_safetensors(std::span<const std::byte> file, std::string_view name);

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/io/safetensors_header_impl.hpp"
#endif
