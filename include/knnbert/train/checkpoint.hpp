#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "knnbert/io/archive.hpp"
#include "knnbert/io/directory_lock.hpp"
#include "knnbert/train/run_identity.hpp"

/// checkpoint-N folders: state.safetensors, and manifest.json that says what the state belongs to.
namespace knnbert::inline v0_1 {

struct Checkpoint {
  index_t step;
  std::filesystem::path folder;

  /// Of the run that wrote it.  Errors: IoError, FormatError.
  RunIdentity run() const;
  bool is_of(const RunIdentity& expected) const;
};

/// The complete checkpoints in a folder, of whatever run, by their steps; none if there is no such folder.
std::vector<Checkpoint> checkpoints_in(const std::filesystem::path& folder);
std::vector<Checkpoint> checkpoints_in(const std::filesystem::path& folder, const RunIdentity& run);

/// The run's newest checkpoint; nothing if the folder has none at all.
/// Errors: OtherRunError if all there are belong to other runs; IoError, FormatError if the newest one is damaged.
std::optional<Checkpoint> newest_checkpoint(const std::filesystem::path& folder, const RunIdentity& run);

namespace detail {

std::string hash_of_file(const std::filesystem::path& path);

/// The folder for the run's checkpoint of a step.  Errors: IoError where something is in its way.
std::string checkpoint_name(const DirectoryLock& lock, index_t step, const RunIdentity& run);
void write_checkpoint(const DirectoryLock& lock, const std::string& name, index_t step, const RunIdentity& run,
                      const StateWriter& state);
StateReader open_checkpoint(const Checkpoint& checkpoint, const RunIdentity& run);

}  // namespace detail

/// Writes the run's checkpoint of a step: archive(StateWriter&) names the state. What another run left, or somebody
/// else, is not touched.  Errors: IoError.
template <class Archive>
void write_checkpoint(const DirectoryLock& lock, index_t step, const RunIdentity& run, Archive&& archive) {
  const std::string name = detail::checkpoint_name(lock, step, run);
  StateWriter writer;
  archive(writer);
  detail::write_checkpoint(lock, name, step, run, writer);
}

/// Restores a checkpoint of the run.  Errors: OtherRunError; IoError, FormatError for a damaged file.
template <class Archive>
void read_checkpoint(const Checkpoint& checkpoint, const RunIdentity& run, Archive&& archive) {
  StateReader reader = detail::open_checkpoint(checkpoint, run);
  archive(reader);
}

/// Removes the run's checkpoints but the last `kept` up to `newest`: later ones are of an earlier attempt that was
/// given up. Those of other runs stay.  Errors: IoError.
void remove_old_checkpoints(const DirectoryLock& lock, const RunIdentity& run, index_t newest, index_t kept);

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/train/checkpoint_impl.hpp"
#endif
