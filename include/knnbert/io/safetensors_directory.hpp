#pragma once
#include "knnbert/io/safetensors.hpp"

namespace knnbert {

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

  void open_shards(const std::filesystem::path& folder, const std::filesystem::path& index) {
    const auto where = index.string();
    const auto weights = require<Json>(read_json(index), "weight_map", where);
    if (!weights.is_object()) raise<FormatError>("{}: weight_map is no object", where);
    std::map<std::string, std::size_t> opened;
    for (const auto& [tensor, value] : weights.items()) {
      const auto file = json_as<std::string>(value, format("{}: weight_map '{}'", where, tensor));
      const auto [place, is_new] = opened.try_emplace(file, shards_.size());
      if (is_new) shards_.emplace_back(inside(folder, file, where));
      shards_[place->second].at(tensor);
      names_.push_back(tensor);
      shard_of_.push_back(place->second);
    }
  }

  /// folder / file. Symbolic links are allowed: caches of downloaded models consist of them.
  static std::filesystem::path inside(const std::filesystem::path& folder, const std::filesystem::path& file,
                                      std::string_view where) {
    const bool climbs = std::find(file.begin(), file.end(), "..") != file.end();
    if (file.empty() || file.is_absolute() || climbs)
      raise<FormatError>("{}: shard '{}' given, a file inside the folder expected", where, file.string());
    return folder / file;
  }

  [[noreturn]] static void refuse(const std::filesystem::path& folder) {
    if (!committed_exists(folder / "pytorch_model.bin"))
      raise<IoError>("{}: no model.safetensors and no model.safetensors.index.json there{}", folder.string(),
                     std::filesystem::is_symlink(folder / "model.safetensors") ? " (a link to nothing)" : "");
    raise<FormatError>(
        "{}: only pytorch_model.bin found, model.safetensors expected. Convert it inside the folder with:\n"
        "python3 -c \"import torch, safetensors.torch as s; w = torch.load('pytorch_model.bin', map_location='cpu', "
        "weights_only=True); s.save_file({k: v.clone().contiguous() for k, v in w.items()}, 'model.safetensors', "
        "metadata=dict(format='pt'))\"",
        folder.string());
  }

  std::string name_;
  std::vector<SafeTensors> shards_;
  std::vector<std::string> names_;
  std::vector<std::size_t> shard_of_;
};

}  // namespace knnbert
