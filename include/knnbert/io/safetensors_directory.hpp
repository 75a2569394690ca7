#pragma once
#include <algorithm>

#include "knnbert/io/safetensors.hpp"

namespace knnbert::inline v0_1 {

/// The weights of a model directory: model.safetensors, or the shards of model.safetensors.index.json.
/// A directory that holds only pytorch_model.bin is refused, because reading that file can run code.
/// Errors: IoError, FormatError.  Thread safety: const access.
class SafeTensorsDirectory {
 public:
  explicit SafeTensorsDirectory(const std::filesystem::path& folder) : name_(folder.string()) {
    if (committed_exists(folder / "model.safetensors")) open_single(folder / "model.safetensors");
    else if (committed_exists(folder / "model.safetensors.index.json"))
      open_shards(folder, folder / "model.safetensors.index.json");
    else refuse(folder);
  }

  const std::vector<std::string>& names() const { return names_; }  ///< sorted

  /// An entry of the first file's metadata, or nothing.
  std::optional<std::string> metadata(const std::string& key) const {
    const auto& all = shards_.front().metadata();
    const auto found = all.find(key);
    return found == all.end() ? std::nullopt : std::optional(found->second);
  }

  /// As SafeTensors::require_checksum, of every file.
  void require_checksum() const {
    for (const SafeTensors& shard : shards_) shard.require_checksum();
  }

  /// The tensor of that name, or nothing. Valid as long as this object.
  std::optional<TensorView> find(std::string_view name) const {
    const auto found = std::lower_bound(names_.begin(), names_.end(), name);
    if (found == names_.end() || *found != name) return std::nullopt;
    return shards_[shard_of_[static_cast<std::size_t>(found - names_.begin())]].find(name);
  }

  /// The tensor of that name.  Errors: FormatError.
  TensorView at(std::string_view name) const {
    auto tensor = find(name);
    if (!tensor) raise<FormatError>("{}: tensor '{}' is missing", name_, name);
    return *std::move(tensor);
  }

 private:
  void open_single(const std::filesystem::path& path) {
    shards_.emplace_back(path);
    names_ = shards_.front().names();
    shard_of_.assign(names_.size(), 0);
  }

  void open_shards(const std::filesystem::path& folder, const std::filesystem::path& index);
  [[noreturn]] static void refuse(const std::filesystem::path& folder);

  std::string name_;
  std::vector<SafeTensors> shards_;
  std::vector<std::string> names_;
  std::vector<std::size_t> shard_of_;
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/io/safetensors_directory_impl.hpp"
#endif
