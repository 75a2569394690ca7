#pragma once
#include <algorithm>

#include "knnbert/config.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/io/safetensors_directory.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// folder / file. Symbolic links are allowed: caches of downloaded models consist of them.
inline std::filesystem::path inside(const std::filesystem::path& folder, const std::filesystem::path& file,
                                    std::string_view where) {
  const bool climbs = std::find(file.begin(), file.end(), "..") != file.end();
  if (file.empty() || file.is_absolute() || climbs)
    raise<FormatError>("{}: shard '{}' given, a file inside the folder expected", where, file.string());
  return folder / file;
}

}  // namespace detail

KNNBERT_INLINE void SafeTensorsDirectory::open_shards(const std::filesystem::path& folder,
                                                      const std::filesystem::path& index) {
  const auto where = index.string();
  const auto weights = require<Json>(read_json(index), "weight_map", where);
  if (!weights.is_object()) raise<FormatError>("{}: weight_map is no object", where);
  if (weights.empty()) raise<FormatError>("{}: an empty weight_map given, tensors expected", where);
  std::map<std::string, std::size_t> opened;
  for (const auto& [tensor, value] : weights.items()) {
    const auto file = json_as<std::string>(value, format("{}: weight_map '{}'", where, tensor));
    const auto [place, is_new] = opened.try_emplace(file, shards_.size());
    if (is_new) shards_.emplace_back(detail::inside(folder, file, where));
    shards_[place->second].at(tensor);
    names_.push_back(tensor);
    shard_of_.push_back(place->second);
  }
}

[[noreturn]] KNNBERT_INLINE void SafeTensorsDirectory::refuse(const std::filesystem::path& folder) {
  std::error_code ignored;
  if (!committed_exists(folder / "pytorch_model.bin"))
    raise<IoError>("{}: no model.safetensors and no model.safetensors.index.json there{}", folder.string(),
                   std::filesystem::is_symlink(folder / "model.safetensors", ignored) ? " (a link to nothing)" : "");
  raise<FormatError>(
      "{}: only pytorch_model.bin found, model.safetensors expected. Convert it inside the folder with: "
      "python3 -c \"import torch, safetensors.torch as s; w = torch.load('pytorch_model.bin', map_location='cpu', "
      "weights_only=True); s.save_file({k: v.clone().contiguous() for k, v in w.items()}, 'model.safetensors', "
      "metadata=dict(format='pt'))\"",
      folder.string());
}

}  // namespace knnbert::inline v0_1
