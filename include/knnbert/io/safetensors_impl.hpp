#pragma once
#include <algorithm>

#include "knnbert/config.hpp"
#include "knnbert/io/safetensors.hpp"
#include "knnbert/io/safetensors_checksum.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE SafeTensors::SafeTensors(const std::filesystem::path& path)
    : name_(path.string()), file_(path), header_(parse_safetensors(file_.bytes(), name_)) {}

KNNBERT_INLINE void SafeTensors::require_checksum() const {
  const auto expected = metadata().find(detail::checksum_key);
  if (expected == metadata().end()) return;
  Checksum checksum = detail::checksum_of(metadata());
  checksum.update(header_.data);
  if (const auto given = checksum.digits(); given != expected->second)
    raise<FormatError>("{}: the checksum of what is in it is {}, {} expected: the file is damaged", name_, given,
                       expected->second);
}

KNNBERT_INLINE std::optional<TensorView> SafeTensors::find(std::string_view name) const {
  const auto found = std::lower_bound(header_.names.begin(), header_.names.end(), name);
  if (found == header_.names.end() || *found != name) return std::nullopt;
  return header_.tensors[static_cast<std::size_t>(found - header_.names.begin())];
}

KNNBERT_INLINE TensorView SafeTensors::at(std::string_view name) const {
  auto tensor = find(name);
  if (!tensor) raise<FormatError>("{}: tensor '{}' is missing", name_, name);
  return *std::move(tensor);
}

}  // namespace knnbert::inline v0_1
