#pragma once
#include <string>

#include "knnbert/io/file_descriptor.hpp"

namespace knnbert {

namespace detail {

/// Two folders that change places: a new one is filled beside the target, then renamed to it.
class FolderSwap {
  using Path = std::filesystem::path;

 public:
  explicit FolderSwap(const Path& target)
      : place_(resolve(target)), fresh_(place_.string() + ".knnbert-new"), old_(place_.string() + ".knnbert-old") {
    finish();  // what a process left behind that died in between
    remove(fresh_);
    act("create", fresh_, [&](auto& error) { std::filesystem::create_directories(fresh_, error); });
  }
  FolderSwap(const FolderSwap&) = delete;
  ~FolderSwap() {
    std::error_code ignored;
    std::filesystem::remove_all(fresh_, ignored);
  }

  const Path& fresh() const { return fresh_; }

  void commit() {
    if (is_there(place_)) move(place_, old_);
    try {
      move(fresh_, place_);
    } catch (...) {
      std::error_code ignored;
      std::filesystem::rename(old_, place_, ignored);
      throw;
    }
    const FileDescriptor parent(place_.parent_path(), O_RDONLY | O_DIRECTORY);
    if (::fsync(parent.number()) != 0 && errno != EINVAL) raise_io("synchronize", place_.parent_path());
    finish();
  }

 private:
  template <class Action>
  static void act(std::string_view name, const Path& path, Action&& action) {
    std::error_code error;
    action(error);
    if (error) raise<IoError>("{}: cannot {}: {}", path.string(), name, error.message());
  }
  static void move(const Path& from, const Path& to) {
    act("rename", from, [&](auto& error) { std::filesystem::rename(from, to, error); });
  }
  static void remove(const Path& path) {
    act("remove", path, [&](auto& error) { std::filesystem::remove_all(path, error); });
  }
  static bool is_there(const Path& path) {
    std::error_code ignored;
    return std::filesystem::exists(std::filesystem::symlink_status(path, ignored));
  }

  /// The folder itself: links followed, without a trailing slash.
  static Path resolve(const Path& target) {
    Path place;
    act("find", target, [&](auto& error) { place = std::filesystem::weakly_canonical(std::filesystem::absolute(target), error); });
    if (!place.has_filename()) place = place.parent_path();
    if (is_there(place) && !std::filesystem::is_directory(place)) raise<IoError>("{}: a folder expected", place.string());
    return place;
  }

  /// Moves what the new folder lacks to it and removes the old one; puts the old one back if there is no new one.
  void finish() const {
    if (!is_there(old_)) return;
    if (!is_there(place_)) return move(old_, place_);
    act("list", old_, [&](auto& error) {
      for (std::filesystem::directory_iterator entry(old_, error), end; !error && entry != end; entry.increment(error))
        if (const Path kept = place_ / entry->path().filename(); !is_there(kept)) move(entry->path(), kept);
    });
    remove(old_);
  }

  Path place_, fresh_, old_;
};

}  // namespace detail

/// Fills a folder as one unit: write(folder) works in a new folder beside the target, which takes the target's place when
/// everything is written. Entries of the old folder that the new one lacks are kept. On failure the target is what it
/// was; if the process dies between two renamings, the next call puts the old folder back first.
/// Errors: IoError, and what write throws.
template <class Write>
void write_directory_atomically(const std::filesystem::path& target, Write&& write) {
  detail::FolderSwap swap(target);
  write(swap.fresh());
  swap.commit();
}

}  // namespace knnbert
