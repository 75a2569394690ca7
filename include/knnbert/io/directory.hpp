#pragma once
#include <memory>

#include "knnbert/io/directory_lock.hpp"
#include "knnbert/io/memory_map.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

inline bool same_content(const std::filesystem::path& a, const std::filesystem::path& b) {
  if (!std::filesystem::is_regular_file(a) || !std::filesystem::is_regular_file(b)) return false;
  const MemoryMap first(a), second(b);
  return first.size() == second.size() &&
         std::equal(first.bytes().begin(), first.bytes().end(), second.bytes().begin());
}

}  // namespace detail

/// A change of several files of a directory that comes about as a whole: files are written to folder(), others named
/// for removal, and commit() makes it so. Readers that open files with open_committed, as this library does, find the
/// old files until then and the new ones from then on, wherever the process may die. Other files stay as they are.
/// Without commit() nothing changes. The directory itself stays in place: it may be a mount point, a link or a working
/// directory.
class DirectoryChange {
 public:
  /// Errors: IoError.
  explicit DirectoryChange(const DirectoryLock& lock)
      : directory_(lock.directory()), folder_(directory_ / detail::new_folder) {
    detail::finish_commit(directory_);
    detail::remove_path(folder_);
    detail::create_folders(folder_);
  }
  DirectoryChange(const DirectoryChange&) = delete;
  DirectoryChange& operator=(const DirectoryChange&) = delete;
  ~DirectoryChange() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  const std::filesystem::path& folder() const { return folder_; }

  /// The file of that name will be gone, if it is there.  Errors: IoError.
  void remove(const std::filesystem::path& name) {
    if (!detail::is_there(directory_ / name)) return;
    detail::create_folders((folder_ / name).parent_path());
    write_file_atomically(folder_ / (name.string() + detail::removed_ending), "");
  }

  /// Files that have not changed are not written, but for `marker`, which tells readers one change from the next.
  /// Errors: IoError; then nothing has changed, unless it says that the change is committed.
  void commit(const std::filesystem::path& marker) {
    prepare(marker);
    detail::rename_path(folder_, directory_ / detail::commit_folder);
    synchronize_folder(directory_);
    try {
      detail::finish_commit(directory_);
    } catch (const IoError& error) {
      raise<IoError>("{}; the change is committed, and the next writer or reader finds it",
                     std::string_view(error.what()));
    }
  }

 private:
  void prepare(const std::filesystem::path& marker) const {
    for (const auto& name : detail::files_below(folder_)) {
      const auto staged = folder_ / name, target = directory_ / name;
      if (std::filesystem::is_directory(target)) raise<IoError>("{}: a folder given, a file expected", target.string());
      struct stat old;
      if (::stat(target.c_str(), &old) == 0) (void)!::chmod(staged.c_str(), old.st_mode & 07777);
      if (name != marker && detail::same_content(staged, target)) detail::remove_path(staged);
      else if (name.has_parent_path()) synchronize_folder(staged.parent_path());
    }
    synchronize_folder(folder_);
  }

  std::filesystem::path directory_, folder_;
};

/// Makes a new folder in a locked directory, as a whole: write(folder) fills it under another name. A folder that has
/// the name already is replaced.  Errors: IoError, and what write throws.
template <class Write>
void write_folder(const DirectoryLock& lock, const std::string& name, Write&& write) {
  DirectoryChange change(lock);
  write(change.folder());
  synchronize_folder(change.folder());
  const auto target = lock.directory() / name, old = lock.directory() / detail::old_folder;
  if (detail::is_there(target)) detail::rename_path(target, old);
  detail::rename_path(change.folder(), target);
  synchronize_folder(lock.directory());
  detail::remove_path(old);
}

/// Removes a folder of a locked directory: it is there or gone, never in part.  Errors: IoError.
inline void remove_folder(const DirectoryLock& lock, const std::filesystem::path& name) {
  const auto old = lock.directory() / detail::old_folder;
  detail::rename_path(lock.directory() / name, old);
  detail::remove_path(old);
}

namespace detail {

/// Which change of a directory its marker belongs to. The file stays open, so that no other one gets its number.
class DirectoryState {
 public:
  explicit DirectoryState(const std::filesystem::path& marker) : marker_(marker) {
    if (!committed_exists(marker)) return;
    file_ = std::make_unique<FileDescriptor>(open_regular(marker, status_));
  }
  bool is_current() const {
    if (!committed_exists(marker_)) return !file_;
    const DirectoryState now(marker_);
    return file_ && now.file_ && now.status_.st_ino == status_.st_ino && now.status_.st_dev == status_.st_dev;
  }

 private:
  std::filesystem::path marker_;
  std::unique_ptr<FileDescriptor> file_;
  struct stat status_ {};
};

}  // namespace detail

/// What read() returns, all of it from the directory as one change left it: it is called again if the marker (see
/// DirectoryChange::commit) changed meanwhile.  Errors: what read() throws; IoError, if that goes on and on.
template <class Read>
auto read_unchanged(const std::filesystem::path& directory, const std::filesystem::path& marker, Read&& read) {
  constexpr int most = 100;
  for (int i = 0; i < most; ++i) {
    const detail::DirectoryState state(directory / marker);
    try {
      auto result = read();
      if (state.is_current()) return result;
    } catch (const Error&) {
      if (state.is_current()) throw;
    }
  }
  raise<IoError>("{}: changed {} times while it was read", directory.string(), most);
}

}  // namespace knnbert::inline v0_1
