#pragma once
#include <algorithm>

#include "knnbert/io/atomic_file.hpp"
#include "knnbert/io/committed_file.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

inline constexpr const char* lock_file = ".knnbert-lock";
/// What the holder of the lock is filling; nobody reads it.
inline constexpr const char* new_folder = ".knnbert-new";
/// What it is deleting.
inline constexpr const char* old_folder = ".knnbert-old";
/// Before the name of a folder that another one is about to replace.
inline constexpr const char* kept_beginning = ".knnbert-kept-";

/// Runs action(std::error_code&).  Errors: IoError.
template <class Action>
void act(std::string_view name, const std::filesystem::path& path, Action&& action) {
  std::error_code error;
  action(error);
  if (error) raise<IoError>("{}: cannot {}: {}", path.string(), name, error.message());
}
inline void rename_path(const std::filesystem::path& from, const std::filesystem::path& to) {
  act("rename", from, [&](auto& error) { std::filesystem::rename(from, to, error); });
}
inline void remove_path(const std::filesystem::path& path) {
  act("remove", path, [&](auto& error) { std::filesystem::remove_all(path, error); });
}
inline void create_folders(const std::filesystem::path& path) {
  act("create", path, [&](auto& error) { std::filesystem::create_directories(path, error); });
}

inline bool is_link(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_symlink(path, ignored);
}
inline bool is_folder(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

/// The path as it is where none leads to the working directory from above.
inline std::filesystem::path absolute(const std::filesystem::path& path) {
  std::error_code error;
  const auto here = std::filesystem::current_path(error);
  return error || ::access(here.c_str(), X_OK) != 0 ? path : here / path;
}

/// The files below a folder, relative to it, in the order of their names.  Errors: IoError.
inline std::vector<std::filesystem::path> files_below(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  act("list", folder, [&](auto& error) {
    for (std::filesystem::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error))
      if (std::error_code ignored; !entry->is_directory(ignored))
        found.push_back(entry->path().lexically_relative(folder));
  });
  std::sort(found.begin(), found.end());
  return found;
}

/// Completes the change that lies in a directory's commit folder, if there is one.  Errors: IoError.
inline void finish_commit(const std::filesystem::path& directory) {
  const auto commit = directory / commit_folder;
  if (!is_there(commit)) return;
  if (is_link(commit)) raise<IoError>("{}: a link given, a folder expected", commit.string());  // to others' files
  const std::string ending = removed_ending;
  for (const auto& name : files_below(commit)) {
    if (std::string target = name.string(); target.ends_with(ending)) {
      target.resize(target.size() - ending.size());
      act("remove", directory / target, [&](auto& error) { std::filesystem::remove(directory / target, error); });
      continue;
    }
    if (name.has_parent_path()) create_folders(directory / name.parent_path());
    rename_path(commit / name, directory / name);
    if (name.has_parent_path()) synchronize_folder(directory / name.parent_path());
  }
  synchronize_folder(directory);
  remove_path(commit);
}

/// Puts back what versions left that replaced the directory itself and died in between.  Errors: IoError.
inline void finish_old_style(const std::filesystem::path& directory) {
  std::error_code ignored;
  auto folder = std::filesystem::weakly_canonical(std::filesystem::absolute(directory, ignored), ignored);
  if (!folder.has_filename()) folder = folder.parent_path();
  const std::filesystem::path fresh(folder.string() + ".knnbert-new"), old(folder.string() + ".knnbert-old");
  if (folder.empty() || !is_there(old) || is_link(old)) return;
  if (!is_there(folder)) {
    rename_path(old, folder);
  } else {
    for (std::filesystem::directory_iterator entry(old, ignored), end; entry != end; entry.increment(ignored))
      if (const auto kept = folder / entry->path().filename(); !is_there(kept)) rename_path(entry->path(), kept);
    remove_path(old);
  }
  remove_path(fresh);
}

/// A folder whose replacement did not come about gets its name back; else it goes.  Errors: IoError.
inline void put_back(const std::filesystem::path& directory) {
  const std::string_view beginning = kept_beginning;
  std::vector<std::filesystem::path> kept;
  act("list", directory, [&](auto& error) {
    for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
         entry.increment(error))
      if (entry->path().filename().string().starts_with(beginning)) kept.push_back(entry->path());
  });
  for (const auto& path : kept) {
    const auto target = directory / path.filename().string().substr(beginning.size());
    if (is_there(target)) remove_path(path);
    else rename_path(path, target);
  }
}

/// Removes what a writer left that died. Of another user's that nobody else may look into, only the name is taken: that
/// user's next lock removes it.  Errors: IoError.
inline void remove_leftover(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (!error) return;
  for (index_t i = 0;; ++i) {
    const auto aside = path.parent_path() / format("{}{}-{}{}", temporary_beginning, ::getpid(), i, temporary_ending);
    if (!is_there(aside)) return rename_path(path, aside);
  }
}

/// Removes the temporary files of processes that died while they wrote: nobody holds their locks.
inline void remove_dead_files(const std::filesystem::path& directory) {
  std::error_code ignored;
  for (std::filesystem::directory_iterator entry(directory, ignored), end; entry != end; entry.increment(ignored)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(temporary_beginning) || !name.ends_with(temporary_ending)) continue;
    if (is_folder(entry->path()) && !is_link(entry->path())) {  // see remove_leftover
      std::error_code others;
      std::filesystem::remove_all(entry->path(), others);
      continue;
    }
    const FileDescriptor file(::open(entry->path().c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (file.number() >= 0 && ::flock(file.number(), LOCK_EX | LOCK_NB) == 0) ::unlink(entry->path().c_str());
  }
}

}  // namespace detail

/// The right to change a directory, which one process (and there one object) has at a time: hold it from before what
/// will be changed is read until the change is written.
///   DirectoryLock lock("model");
///   auto model = Classifier<>::load("model");
///   model.add(texts, "refund");
///   model.save(lock);
/// It ends with the object or with the process; a process that is forked meanwhile neither has it nor ends it. Readers
/// need no lock. The first thing its holder does is to put in order what a writer left that died.
class DirectoryLock {
 public:
  enum class Directory { create, expect };

  /// Makes the directory, with its parents, unless it is there or only an existing one is expected.
  /// Errors: IoError, also for a directory that somebody else has locked or that cannot be written.
  [[nodiscard]] explicit DirectoryLock(const std::filesystem::path& directory, Directory kind = Directory::create)
      : name_(directory), directory_(detail::absolute(directory)), lock_(directory_ / detail::lock_file), file_(-1) {
    if (directory.empty()) raise<IoError>("'': an empty name given, that of a folder expected");
    detail::finish_old_style(directory_);
    try {
      if (kind == Directory::create) create();
      else if (!detail::is_folder(directory_)) raise_io("open", name_, detail::is_there(directory_) ? ENOTDIR : ENOENT);
      acquire();
      detail::finish_commit(directory_);
      detail::put_back(directory_);
      for (const char* name : {detail::new_folder, detail::old_folder}) detail::remove_leftover(directory_ / name);
      detail::remove_dead_files(directory_);
    } catch (...) {
      release();
      throw;
    }
  }
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;
  ~DirectoryLock() { release(); }

  /// Absolute: the same folder also when the working directory has changed.
  const std::filesystem::path& directory() const { return directory_; }
  const std::filesystem::path& name() const { return name_; }  ///< as it was given, for messages

 private:
  void create() {
    if (detail::is_folder(directory_)) return;
    if (detail::is_there(directory_)) raise<IoError>("{}: a file given, a folder expected", name_.string());
    if (std::error_code ignored; detail::is_link(directory_))
      raise<IoError>("{}: a link to {} given, which is not there; a folder expected", name_.string(),
                     std::filesystem::read_symlink(directory_, ignored).string());
    for (auto missing = directory_; !missing.empty() && !detail::is_there(missing); missing = missing.parent_path())
      created_.push_back(missing);
    detail::create_folders(directory_);
  }

  void acquire() {
    constexpr int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;  // no others' file, no wait at a pipe
    for (;;) {
      FileDescriptor file(::open(lock_.c_str(), O_RDWR | O_CREAT | flags, 0666));
      if (file.number() < 0 && errno == EACCES) {  // another user's who died: to lock it, reading suffices
        FileDescriptor theirs(::open(lock_.c_str(), O_RDONLY | flags));
        if (theirs.number() < 0 || ::access(directory_.c_str(), W_OK) != 0) raise_io("write", name_, EACCES);
        file = std::move(theirs);
      }
      if (file.number() < 0 && errno == ELOOP) raise<IoError>("{}: a link given, a file expected", lock_.string());
      if (file.number() < 0) raise_io("write", name_);
      if (::flock(file.number(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) raise<IoError>("{}: in use by another process that writes it", name_.string());
        raise_io("lock", lock_);
      }
      if (!detail::is_still_at(file.number(), lock_)) continue;  // its holder left and took it along
      file_ = std::move(file);
      return;
    }
  }

  /// The file goes while it is still locked, so that nobody locks one that is gone; folders go if nothing was written
  /// to them.
  void release() {
    if (!owner_.is_this_process()) return;
    if (file_.number() >= 0 && detail::is_still_at(file_.number(), lock_)) ::unlink(lock_.c_str());
    for (const auto& folder : created_) ::rmdir(folder.c_str());
  }

  std::filesystem::path name_, directory_, lock_;
  FileDescriptor file_;
  detail::Owner owner_;
  std::vector<std::filesystem::path> created_;  // the innermost first
};

}  // namespace knnbert::inline v0_1
