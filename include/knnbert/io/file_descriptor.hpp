#pragma once
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "knnbert/core/error.hpp"
#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// Throws IoError with the file and the system's reason for the failure of `action`.
[[noreturn]] inline void raise_io(std::string_view action, const std::filesystem::path& path, int code = errno) {
  raise<IoError>("{}: cannot {}: {}", path.string(), action, std::generic_category().message(code));
}

/// An open POSIX file, closed on destruction. Errors: IoError that names the file.
class FileDescriptor {
 public:
  explicit FileDescriptor(int number) : number_(number) {}  ///< takes over an open file
  FileDescriptor(const std::filesystem::path& path, int flags, mode_t mode = 0)
      : number_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {
    if (number_ < 0) raise_io("open", path);
  }
  FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~FileDescriptor() {
    if (number_ >= 0) ::close(number_);
  }

  int number() const { return number_; }

 private:
  int number_;
};

namespace detail {

/// Whether a path still leads to an open file. A link in its place is another file.
inline bool is_still_at(int file, const std::filesystem::path& path) {
  struct stat held, there;
  return ::fstat(file, &held) == 0 && ::lstat(path.c_str(), &there) == 0 && held.st_ino == there.st_ino &&
         held.st_dev == there.st_dev;
}

/// Gives a file or folder the permissions of the one that it replaces, or fewer where it cannot be given the group.
/// The owner of a folder may always change it. Returns whether something changed: there may be no permissions.
inline bool take_permissions(int file, const struct stat& old) {
  struct stat own;
  if (::fstat(file, &own) != 0) return false;
  auto mode = (old.st_mode & 07777u) | (S_ISDIR(own.st_mode) ? S_IRWXU : 0u);
  if (own.st_gid != old.st_gid && ::fchown(file, static_cast<uid_t>(-1), old.st_gid) != 0)
    mode &= ~static_cast<mode_t>(S_ISGID | S_IRWXG) | (mode & S_IRWXO) << 3;
  return (own.st_mode & 07777u) != mode && ::fchmod(file, mode) == 0;
}

/// Tells the process that made an object from one that was forked with a copy of it, whose files are not its own.
class Owner {
 public:
  bool is_this_process() const { return process_ == ::getpid(); }

 private:
  pid_t process_ = ::getpid();
};

}  // namespace detail

/// Makes what was created, renamed or removed in a folder durable.  Errors: IoError.
inline void synchronize_folder(const std::filesystem::path& folder) {
  const FileDescriptor handle(folder, O_RDONLY | O_DIRECTORY);
  if (::fsync(handle.number()) != 0 && errno != EINVAL) raise_io("synchronize", folder);  // EINVAL: nothing to do there
}

}  // namespace knnbert::inline v0_1
