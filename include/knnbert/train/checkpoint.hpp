#pragma once
#include <optional>

#include "knnbert/core/parameters.hpp"
#include "knnbert/io/archive.hpp"
#include "knnbert/io/directory.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/text/training_data.hpp"

/// checkpoint-N folders: state.safetensors, and manifest.json that says what the state belongs to.
namespace knnbert {

namespace detail {

inline std::uint64_t mix_bytes(std::uint64_t hash, std::span<const std::byte> bytes) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    word = word << 8 | std::to_integer<std::uint64_t>(bytes[i]);
    if (i % 8 == 7 || i + 1 == bytes.size()) hash = mix_bits(hash ^ word), word = 0;
  }
  return mix_bits(hash ^ bytes.size());
}

inline std::string hash_of_file(const std::filesystem::path& path) {
  const MemoryMap file(path);
  return std::to_string(mix_bytes(0, file.bytes()));
}

}  // namespace detail

/// A number that changes with any token or label of the data.
inline std::string identity_of(const Batch& tokens, std::span<const label_t> labels) {
  std::uint64_t hash = detail::mix_bytes(0, std::as_bytes(std::span(tokens.ids)));
  for (const auto part : {std::as_bytes(std::span(tokens.segments)), std::as_bytes(std::span(tokens.offsets)), std::as_bytes(labels)})
    hash = detail::mix_bytes(hash, part);
  return std::to_string(hash);
}

/// A number that changes with any name or shape of the parameters and with the layout of weights.
inline std::string identity_of(const ParameterTable& table) {
  std::uint64_t hash = table.weights() == Layout::panels ? 0 : 1;
  for (const Parameter& p : table.all()) {
    const index_t shape[] = {p.rows, p.cols};
    hash = detail::mix_bytes(detail::mix_bytes(hash, std::as_bytes(std::span(p.name))), std::as_bytes(std::span(shape)));
  }
  return std::to_string(hash);
}

/// Folders named checkpoint-N with their numbers, ascending; none if there is no such folder.
inline std::vector<std::pair<index_t, std::filesystem::path>> checkpoints_in(const std::filesystem::path& folder) {
  std::vector<std::pair<index_t, std::filesystem::path>> found;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(folder, missing)) {
    const std::string name = entry.path().filename().string(), prefix = "checkpoint-";
    index_t number = 0;
    if (!name.starts_with(prefix)) continue;
    const auto [end, error] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number);
    if (error == std::errc() && end == name.data() + name.size()) found.emplace_back(number, entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// The number of the newest complete checkpoint in a folder.
inline std::optional<index_t> newest_checkpoint(const std::filesystem::path& folder) {
  std::optional<index_t> newest;
  for (const auto& [number, place] : checkpoints_in(folder))
    if (std::filesystem::exists(place / "manifest.json")) newest = number;
  return newest;
}

/// Writes checkpoint-`step`: archive(StateWriter&) names the state.  Errors: IoError.
template <class Archive>
void write_checkpoint(const DirectoryLock& lock, index_t step, const std::string& identity, Archive&& archive) {
  write_folder(lock, format("checkpoint-{}", step), [&](const std::filesystem::path& fresh) {
    StateWriter writer;
    archive(writer);
    writer.write(fresh / "state.safetensors");
    write_json(fresh / "manifest.json", OrderedJson{{"schema", 1}, {"step", step}, {"run", identity}, {"state", detail::hash_of_file(fresh / "state.safetensors")}});
  });
}

/// Restores checkpoint-`step`.  Errors: FormatError for a damaged file and for a run on other data or with other options.
template <class Archive>
void read_checkpoint(const std::filesystem::path& folder, index_t step, const std::string& identity, Archive&& archive) {
  const auto place = folder / format("checkpoint-{}", step);
  const Json manifest = read_json(place / "manifest.json");
  const std::string where = (place / "manifest.json").string();
  if (require<std::string>(manifest, "run", where) != identity)
    raise<FormatError>("{}: the checkpoint belongs to another run: the same data and options expected", where);
  if (require<std::string>(manifest, "state", where) != detail::hash_of_file(place / "state.safetensors"))
    raise<FormatError>("{}: state.safetensors does not match its manifest", where);
  StateReader reader(place / "state.safetensors");
  archive(reader);
}

/// Removes all checkpoints but the last `kept` up to `newest`: later ones belong to a run that was given up.
inline void remove_old_checkpoints(const DirectoryLock& lock, index_t newest, index_t kept) {
  const auto found = checkpoints_in(lock.directory());
  const auto end = std::upper_bound(found.begin(), found.end(), newest, [](index_t number, const auto& item) { return number < item.first; });
  for (auto item = found.begin(); item != found.end(); ++item)
    if (item < end - std::min(kept, end - found.begin()) || item >= end) remove_folder(lock, item->second.filename());
}

}  // namespace knnbert
