#pragma once
#include <algorithm>
#include <charconv>
#include <tuple>

#include "knnbert/config.hpp"
#include "knnbert/io/directory.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/io/memory_map.hpp"
#include "knnbert/train/checkpoint.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

inline constexpr index_t checkpoint_schema = 1;

/// The N of checkpoint-N and, where another run had taken that name, checkpoint-N-<8 hexadecimal digits>; -1 for other
/// names.
inline index_t checkpoint_number(const std::string& name) {
  constexpr std::string_view prefix = "checkpoint-";
  index_t number = -1;
  if (!name.starts_with(prefix)) return -1;
  const char* const last = name.data() + name.size();
  const auto [end, error] = std::from_chars(name.data() + prefix.size(), last, number);
  if (error != std::errc() || number < 0) return -1;
  const std::string_view rest(end, last);
  const bool plain = rest.empty(),
             marked = rest.size() == 9 && rest[0] == '-' && rest.find_first_not_of("0123456789abcdef", 1) == rest.npos;
  return plain || marked ? number : -1;
}

}  // namespace detail

KNNBERT_INLINE std::string detail::hash_of_file(const std::filesystem::path& path) {
  const MemoryMap file(path);
  return std::to_string(mix_bytes(0, file.bytes()));
}

KNNBERT_INLINE RunIdentity Checkpoint::run() const {
  const auto path = folder / "manifest.json";
  const Json manifest = read_json(path);
  if (const auto schema = require<index_t>(manifest, "schema", path.string()); schema != detail::checkpoint_schema)
    raise<FormatError>("{}: schema {} given, {} expected", path.string(), schema, detail::checkpoint_schema);
  if (const auto own = require<index_t>(manifest, "step", path.string()); own != step)
    raise<FormatError>("{}: step {} given, {} expected, as the folder's name says", path.string(), own, step);
  return RunIdentity::parse(require<Json>(manifest, "run", path.string()).dump(), path.string());
}

KNNBERT_INLINE bool Checkpoint::is_of(const RunIdentity& expected) const {
  try {
    return run() == expected;
  } catch (const Error&) { return false; }
}

KNNBERT_INLINE std::vector<Checkpoint> checkpoints_in(const std::filesystem::path& folder) {
  std::vector<Checkpoint> found;
  if (!detail::is_folder(folder)) return found;
  detail::act("list", folder, [&](auto& error) {
    for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      const auto& path = entry->path();
      const index_t number = detail::checkpoint_number(path.filename().string());
      if (number >= 0 && detail::is_there(path / "manifest.json")) found.push_back({number, path});
    }
  });
  std::sort(found.begin(), found.end(), [](const Checkpoint& a, const Checkpoint& b) {
    return std::tie(a.step, a.folder) < std::tie(b.step, b.folder);
  });
  return found;
}
KNNBERT_INLINE std::vector<Checkpoint> checkpoints_in(const std::filesystem::path& folder, const RunIdentity& run) {
  auto found = checkpoints_in(folder);
  std::erase_if(found, [&](const Checkpoint& checkpoint) { return !checkpoint.is_of(run); });
  return found;
}

KNNBERT_INLINE std::optional<Checkpoint> newest_checkpoint(const std::filesystem::path& folder,
                                                           const RunIdentity& run) {
  if (const auto own = checkpoints_in(folder, run); !own.empty()) return own.back();
  const auto all = checkpoints_in(folder);
  if (all.empty()) return std::nullopt;
  throw OtherRunError(all.back().folder.string(), run.differences(all.back().run()));
}

KNNBERT_INLINE std::string detail::checkpoint_name(const DirectoryLock& lock, index_t step, const RunIdentity& run) {
  std::string name = format("checkpoint-{}", step);
  const auto taken = [&] {
    const auto there = lock.directory() / name;
    return (detail::is_there(there) || detail::is_link(there)) && !Checkpoint{step, there}.is_of(run);
  };
  if (taken()) name += "-" + hex_digits(run.hash(), 8);
  if (taken()) raise<IoError>("{}: in the way of a checkpoint", (lock.directory() / name).string());
  return name;
}

KNNBERT_INLINE void detail::write_checkpoint(const DirectoryLock& lock, const std::string& name, index_t step,
                                             const RunIdentity& run, const StateWriter& state) {
  write_folder(lock, name, [&](const std::filesystem::path& fresh) {
    state.write(fresh / "state.safetensors");
    write_json(fresh / "manifest.json", OrderedJson{{"schema", checkpoint_schema},
                                                    {"step", step},
                                                    {"run", OrderedJson::parse(run.json_text())},
                                                    {"state", hash_of_file(fresh / "state.safetensors")}});
  });
}

KNNBERT_INLINE StateReader detail::open_checkpoint(const Checkpoint& checkpoint, const RunIdentity& run) {
  if (auto differences = run.differences(checkpoint.run()); !differences.empty())
    throw OtherRunError(checkpoint.folder.string(), std::move(differences));
  const auto path = checkpoint.folder / "manifest.json", state = checkpoint.folder / "state.safetensors";
  if (require<std::string>(read_json(path), "state", path.string()) != hash_of_file(state))
    raise<FormatError>("{}: state.safetensors does not match its manifest", path.string());
  return StateReader(state);
}

KNNBERT_INLINE void remove_old_checkpoints(const DirectoryLock& lock, const RunIdentity& run, index_t newest,
                                           index_t kept) {
  const auto found = checkpoints_in(lock.directory(), run);
  const auto end = std::upper_bound(found.begin(), found.end(), newest,
                                    [](index_t step, const Checkpoint& c) { return step < c.step; });
  for (auto item = found.begin(); item != found.end(); ++item)
    if (item < end - std::min(kept, end - found.begin()) || item >= end) remove_folder(lock, item->folder.filename());
}

}  // namespace knnbert::inline v0_1
