#pragma once
#include <optional>

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

/// A number that changes with any token or label of the training data.
inline std::string identity_of(const TrainingData& data) {
  std::uint64_t hash = detail::mix_bytes(0, std::as_bytes(std::span(data.tokens().ids)));
  hash = detail::mix_bytes(hash, std::as_bytes(std::span(data.tokens().offsets)));
  return std::to_string(detail::mix_bytes(hash, std::as_bytes(data.labels())));
}

/// The number of the newest complete checkpoint in a folder.
inline std::optional<index_t> newest_checkpoint(const std::filesystem::path& folder) {
  std::optional<index_t> newest;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(folder, missing)) {
    const std::string name = entry.path().filename().string(), prefix = "checkpoint-";
    index_t number = 0;
    if (!name.starts_with(prefix)) continue;
    const auto [end, error] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number);
    if (error != std::errc() || end != name.data() + name.size() || !std::filesystem::exists(entry.path() / "manifest.json")) continue;
    newest = std::max(newest.value_or(number), number);
  }
  return newest;
}

/// Writes checkpoint-`step`: archive(StateWriter&) names the state.  Errors: IoError.
template <class Archive>
void write_checkpoint(const std::filesystem::path& folder, index_t step, const std::string& identity, Archive&& archive) {
  write_directory_atomically(folder / format("checkpoint-{}", step), [&](const std::filesystem::path& fresh) {
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

/// Removes all but the newest `kept` checkpoints.
inline void remove_old_checkpoints(const std::filesystem::path& folder, index_t newest, index_t kept) {
  std::vector<std::pair<index_t, std::filesystem::path>> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("checkpoint-")) continue;
    index_t number = 0;
    if (std::from_chars(name.data() + 11, name.data() + name.size(), number).ptr == name.data() + name.size()) found.emplace_back(number, entry.path());
  }
  std::sort(found.begin(), found.end());
  std::error_code ignored;
  for (index_t i = 0; i < std::ssize(found) - kept; ++i)
    if (found[static_cast<std::size_t>(i)].first != newest) std::filesystem::remove_all(found[static_cast<std::size_t>(i)].second, ignored);
}

}  // namespace knnbert
