#pragma once
#include <sys/syscall.h>

#include <memory>

#include "knnbert/io/directory_lock.hpp"
#include "knnbert/io/memory_map.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

inline bool same_content(const std::filesystem::path& a, const std::filesystem::path& b) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(a, ignored) || !std::filesystem::is_regular_file(b, ignored)) return false;
  if (::access(b.c_str(), R_OK) != 0) return false;  // it may be replaced all the same
  const MemoryMap first(a), second(b);
  return first.size() == second.size() &&
         std::equal(first.bytes().begin(), first.bytes().end(), second.bytes().begin());
}

/// As take_permissions, of a path that is no link, if there is something that it replaces.  Errors: IoError.
inline void take_permissions(const std::filesystem::path& path, const std::filesystem::path& replaced) {
  struct stat old;
  if (is_link(path) || ::stat(replaced.c_str(), &old) != 0) return;
  const FileDescriptor file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (take_permissions(file.number(), old) && ::fsync(file.number()) != 0 && errno != EINVAL)
    raise_io("synchronize", path);
}

/// Exchanges what two names stand for, at once. Returns false where the system or the file system cannot.
inline bool exchange_names(const std::filesystem::path& a, const std::filesystem::path& b) {
#if defined(SYS_renameat2)
  constexpr unsigned exchange = 2;  // RENAME_EXCHANGE of <linux/fs.h>
  return ::syscall(SYS_renameat2, AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), exchange) == 0;
#else
  return a == b;
#endif
}

}  // namespace detail

/// A change of several files of a directory that comes about as a whole: files are written to folder(), others named
/// for removal, and commit() makes it so. Readers that open files with open_committed, as this library does, find the
/// old files until then and the new ones from then on, wherever the process may die. Other files stay as they are.
/// Without commit() nothing changes. Only this user may look into folder(); what replaces a file gets its permissions.
/// The directory itself stays in place: it may be a mount point, a link or a working directory.
class DirectoryChange {
 public:
  /// Errors: IoError.
  [[nodiscard]] explicit DirectoryChange(const DirectoryLock& lock)
      : directory_(lock.directory()), folder_(directory_ / detail::new_folder) {
    detail::finish_commit(directory_);
    detail::remove_path(folder_);
    detail::create_folders(folder_);
    const FileDescriptor made(folder_, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (::fstat(made.number(), &usual_) != 0) raise_io("inspect", folder_);
    (void)!::fchmod(made.number(), S_IRWXU);  // where the file system has permissions
  }
  DirectoryChange(const DirectoryChange&) = delete;
  DirectoryChange& operator=(const DirectoryChange&) = delete;
  ~DirectoryChange() {
    if (!owner_.is_this_process()) return;
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

  /// Makes folder(), with all that is in it, a folder of that name in the directory; one that has the name is replaced.
  /// Errors: IoError; then nothing has changed, unless it cannot remove or synchronize.
  void commit_folder(const std::string& name) {
    const auto target = directory_ / name, kept = directory_ / (detail::kept_beginning + name);
    for (const auto& file : detail::files_below(folder_)) detail::take_permissions(folder_ / file, target / file);
    {
      const FileDescriptor made(folder_, O_RDONLY | O_DIRECTORY);
      struct stat old;
      detail::take_permissions(made.number(), ::stat(target.c_str(), &old) == 0 ? old : usual_);
    }
    synchronize_folder(folder_);
    if (!detail::is_there(target)) {
      detail::rename_path(folder_, target);
    } else if (!detail::exchange_names(folder_, target)) {
      detail::rename_path(target, kept);
      try {
        detail::rename_path(folder_, target);
      } catch (const IoError&) {
        std::error_code ignored;  // else the next lock puts it back
        std::filesystem::rename(kept, target, ignored);
        throw;
      }
    }
    synchronize_folder(directory_);
    for (const auto& old : {folder_, kept}) detail::remove_path(old);
  }

 private:
  void prepare(const std::filesystem::path& marker) const {
    for (const auto& name : detail::files_below(folder_)) {
      const auto staged = folder_ / name, target = directory_ / name;
      if (detail::is_folder(target)) raise<IoError>("{}: a folder given, a file expected", target.string());
      for (auto place = name.parent_path(); !place.empty(); place = place.parent_path()) {
        if (detail::is_there(directory_ / place) && !detail::is_folder(directory_ / place))
          raise<IoError>("{}: a file given, a folder expected", (directory_ / place).string());
        detail::take_permissions(folder_ / place, directory_ / place);
      }
      if (name != marker && detail::same_content(staged, target)) {
        detail::remove_path(staged);
        continue;
      }
      detail::take_permissions(staged, target);
      if (name.has_parent_path()) synchronize_folder(staged.parent_path());
    }
    detail::take_permissions(folder_, directory_);  // who reads the directory reads what is committed there
    synchronize_folder(folder_);
  }

  std::filesystem::path directory_, folder_;
  struct stat usual_ {};  // permissions of a new folder
  detail::Owner owner_;
};

/// Makes a new folder in a locked directory, as a whole: write(folder) fills it under another name. A folder that has
/// the name already is replaced, at once where the file system exchanges names (Linux's do); elsewhere it is away for a
/// moment, and the next lock puts it back if the process dies then.  Errors: IoError, and what write throws.
template <class Write>
void write_folder(const DirectoryLock& lock, const std::string& name, Write&& write) {
  DirectoryChange change(lock);
  write(change.folder());
  change.commit_folder(name);
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
    } catch (const std::exception&) {
      if (state.is_current()) throw;
    }
  }
  raise<IoError>("{}: changed {} times while it was read", directory.string(), most);
}

}  // namespace knnbert::inline v0_1
