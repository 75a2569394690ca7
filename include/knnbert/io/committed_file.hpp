#pragma once
#include <optional>

#include "knnbert/io/file_descriptor.hpp"

/// Reading from a directory that a DirectoryLock's holder may be changing, or was when it died.
namespace knnbert::inline v0_1 {

namespace detail {

/// A change of several files is one renaming: to this folder, from where the files move on.
inline constexpr const char* commit_folder = ".knnbert-commit";
/// Behind the name of a file that the change removes.
inline constexpr const char* removed_ending = ".knnbert-removed";

inline bool is_there(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

/// Where the newest content of a file lies; nothing, if the newest change removes it. The file may be one of a model
/// directory or of a folder in it.
inline std::optional<std::filesystem::path> newest_path(const std::filesystem::path& path) {
  auto folder = path.parent_path(), name = path.filename();
  for (int level = 0; level < 2 && !name.empty(); ++level) {
    if (const auto commit = folder / commit_folder; is_there(commit)) {
      if (is_there(commit / name)) return commit / name;
      if (is_there(commit / (name.string() + removed_ending))) return std::nullopt;
    }
    name = folder.filename() / name, folder = folder.parent_path();
  }
  // Earlier versions renamed the directory itself and could die in between.
  const auto directory = path.parent_path();
  if (const std::filesystem::path old(directory.string() + ".knnbert-old");
      !directory.empty() && !is_there(directory) && is_there(old))
    return old / path.filename();
  return path;
}

}  // namespace detail

/// Whether open_committed would find the file.
inline bool committed_exists(const std::filesystem::path& path) {
  const auto newest = detail::newest_path(path);
  return newest && (detail::is_there(*newest) || (*newest != path && detail::is_there(path)));
}

/// Opens a file for reading: what was committed last under that name, wherever the writer stands or died.
/// Errors: IoError.
inline FileDescriptor open_committed(const std::filesystem::path& path, int more_flags = 0) {
  for (int tries = 0;; ++tries) {
    const auto newest = detail::newest_path(path);
    const int number = newest ? ::open(newest->c_str(), O_RDONLY | O_CLOEXEC | more_flags) : -1;
    if (number >= 0) return FileDescriptor(number);
    if (newest && *newest != path && errno == ENOENT && tries < 10) continue;  // it has just moved there
    raise_io("open", path, newest ? errno : ENOENT);
  }
}

/// The same of a regular file alone: a pipe is refused at once, in place of a wait for who writes it.
inline FileDescriptor open_regular(const std::filesystem::path& path, struct stat& status) {
  FileDescriptor file = open_committed(path, O_NONBLOCK);
  if (::fstat(file.number(), &status) != 0) raise_io("inspect", path);
  if (!S_ISREG(status.st_mode)) raise<IoError>("{}: not a regular file", path.string());
  return file;
}

}  // namespace knnbert::inline v0_1
