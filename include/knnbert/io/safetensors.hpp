#pragma once
#include "knnbert/io/memory_map.hpp"
#include "knnbert/io/safetensors_header.hpp"

namespace knnbert::inline v0_1 {

/// A safetensors file mapped into memory. Everything is checked when it is opened: sizes, types, no holes, no overlaps.
/// Errors: IoError, FormatError.  Thread safety: const access.  Cost: nothing is copied before a tensor is read.
class SafeTensors {
 public:
  explicit SafeTensors(const std::filesystem::path& path)
      : name_(path.string()), file_(path), header_(parse_safetensors(file_.bytes(), name_)) {}

  const std::vector<std::string>& names() const { return header_.names; }  ///< sorted
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }
  index_t size() const { return file_.size(); }  ///< bytes of the file

  /// The tensor of that name, or nothing. Valid as long as this object.
  std::optional<TensorView> find(std::string_view name) const {
    const auto found = std::lower_bound(header_.names.begin(), header_.names.end(), name);
    if (found == header_.names.end() || *found != name) return std::nullopt;
    return header_.tensors[static_cast<std::size_t>(found - header_.names.begin())];
  }

  /// The tensor of that name.  Errors: FormatError.
  TensorView at(std::string_view name) const {
    auto tensor = find(name);
    if (!tensor) raise<FormatError>("{}: tensor '{}' is missing", name_, name);
    return *std::move(tensor);
  }

 private:
  std::string name_;
  MemoryMap file_;
  SafeTensorsHeader header_;
};

}  // namespace knnbert::inline v0_1
