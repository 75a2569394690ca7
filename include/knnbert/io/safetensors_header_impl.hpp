#pragma once
#include <algorithm>

#include "knnbert/config.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/io/placeholder.hpp"
#include "knnbert/io/safetensors_header.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// Length of the JSON header after checks against the format and the file.
inline index_t safetensors_header_length(std::span<const std::byte> file, std::string_view name) {
  constexpr index_t prefix = 8, longest = 100'000'000;  // the limit of the format
  if (std::ssize(file) < prefix)
    raise<FormatError>("{}: a file of {} bytes given, a safetensors file of at least {} expected", name, file.size(),
                       prefix);
  std::uint64_t length;
  std::memcpy(&length, file.data(), sizeof length);
  if (length > std::uint64_t{longest} || static_cast<index_t>(length) > std::ssize(file) - prefix)
    raise<FormatError>(
        "{}: a header of {} bytes announced, at most {} expected in this file: is it a safetensors file, and whole?",
        name, length, std::min(longest, std::ssize(file) - prefix));
  return static_cast<index_t>(length);
}

/// The tensor that a header entry describes, inside `data`.
inline TensorView safetensors_entry(const Json& entry, std::span<const std::byte> data, std::string name) {
  const auto type = require<std::string>(entry, "dtype", name);
  const auto dtype = find_dtype(type).value_or(DType::other);
  auto shape = require<Shape>(entry, "shape", name);
  const auto range = require<std::vector<index_t>>(entry, "data_offsets", name);
  auto bytes = tensor_bytes(shape, dtype_size(dtype));
  if (!bytes) raise<FormatError>("{}: shape {} is negative or too large", name, shape_text(shape));
  if (range.size() != 2 || range[0] < 0 || range[1] < range[0] || range[1] > std::ssize(data))
    raise<FormatError>("{}: data_offsets {} given, a range within {} bytes expected", name, shape_text(range),
                       data.size());
  if (dtype == DType::other) bytes = range[1] - range[0];
  if (range[1] - range[0] != *bytes)
    raise<FormatError>("{}: {} bytes of data for {} bytes of {} {}", name, range[1] - range[0], *bytes, type,
                       shape_text(shape));
  const auto begin = static_cast<std::size_t>(range[0]);
  return {.name = std::move(name),
          .dtype = dtype,
          .shape = std::move(shape),
          .bytes = data.subspan(begin, static_cast<std::size_t>(*bytes)),
          .type = type};
}

/// Tensors must fill the data without holes and overlaps.
inline void require_gapless(const SafeTensorsHeader& header, std::span<const std::byte> data, std::string_view name) {
  std::vector<const TensorView*> order;
  for (const auto& tensor : header.tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const TensorView* a, const TensorView* b) {
    return std::pair(a->bytes.data(), a->bytes.size()) < std::pair(b->bytes.data(), b->bytes.size());
  });
  const std::byte* end = data.data();
  for (const auto* tensor : order) {
    if (tensor->bytes.data() != end)
      raise<FormatError>("{}: data starts at byte {}, {} expected", tensor->name, tensor->bytes.data() - data.data(),
                         end - data.data());
    end += tensor->bytes.size();
  }
  const index_t used = end - data.data();
  if (used != std::ssize(data)) raise<FormatError>("{}: {} bytes of data given, {} expected", name, data.size(), used);
}

}  // namespace detail

KNNBERT_INLINE SafeTensorsHeader parse_safetensors(std::span<const std::byte> file, std::string_view name) {
  refuse_placeholder({reinterpret_cast<const char*>(file.data()), file.size()}, name);
  const auto length = static_cast<std::size_t>(detail::safetensors_header_length(file, name));
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + 8, length);
  if (!text.starts_with('{')) raise<FormatError>("{}: header does not start with an opening brace", name);
  const auto data = file.subspan(8 + length);
  SafeTensorsHeader header{.names = {}, .tensors = {}, .metadata = {}, .data = data};
  const Json content = parse_json(text, name);
  for (const auto& [key, entry] : content.items()) {
    if (key == "__metadata__") {
      if (!entry.is_object()) raise<FormatError>("{}: __metadata__ is no object", name);
      for (const auto& [item, value] : entry.items())
        header.metadata[item] = json_as<std::string>(value, format("{}: __metadata__ {}", name, item));
    } else {
      header.tensors.push_back(detail::safetensors_entry(entry, data, format("{}: tensor '{}'", name, key)));
      header.names.push_back(key);
    }
  }
  detail::require_gapless(header, data, name);
  return header;
}

}  // namespace knnbert::inline v0_1
