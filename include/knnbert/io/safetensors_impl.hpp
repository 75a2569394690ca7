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
  constexpr std::size_t piece = std::size_t{1} << 24;
  for (std::size_t at = 0; at < header_.data.size(); at += piece) {
    const auto bytes = header_.data.subspan(at, std::min(piece, header_.data.size() - at));
    checksum.update(bytes);
    release_pages(bytes);
  }
  if (const auto given = checksum.digits(); given != expected->second)
    raise<FormatError>("{}: the checksum of what is in it is {}, {} expected: the file is damaged", name_, given,
                       expected->second);
}

KNNBERT_INLINE void SafeTensors::require_metadata(const std::string& key, std::string_view expected) const {
  const auto given = metadata().find(key);
  if (given != metadata().end() && given->second != expected)
    raise<FormatError>("{}: {} is {}, {} expected", name_, key, given->second, expected);
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
