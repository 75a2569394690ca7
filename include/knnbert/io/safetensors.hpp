#pragma once
#include "knnbert/io/memory_map.hpp"
#include "knnbert/io/safetensors_header.hpp"

namespace knnbert::inline v0_1 {

/// A safetensors file mapped into memory. Everything is checked when it is opened: sizes, types, no holes, no overlaps.
/// Errors: IoError, FormatError.  Thread safety: const access.  Cost: nothing is copied before a tensor is read.
class SafeTensors {
 public:
  explicit SafeTensors(const std::filesystem::path& path);

  const std::vector<std::string>& names() const { return header_.names; }  ///< sorted
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }
  index_t size() const { return file_.size(); }  ///< bytes of the file

  /// Checks what SafeTensorsWriter::with_checksum left, if there is any.  Errors: FormatError.  Cost: reads the file.
  void require_checksum() const;
  /// Checks an entry of the metadata, if there is one.  Errors: FormatError.
  void require_metadata(const std::string& key, std::string_view expected) const;

  /// The tensor of that name, or nothing. Valid as long as this object.
  std::optional<TensorView> find(std::string_view name) const;

  /// The tensor of that name.  Errors: FormatError.
  TensorView at(std::string_view name) const;

 private:
  std::string name_;
  MemoryMap file_;
  SafeTensorsHeader header_;
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/io/safetensors_impl.hpp"
#endif
