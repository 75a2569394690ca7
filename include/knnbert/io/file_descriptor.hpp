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

/// Makes what was created, renamed or removed in a folder durable.  Errors: IoError.
inline void synchronize_folder(const std::filesystem::path& folder) {
  const FileDescriptor handle(folder, O_RDONLY | O_DIRECTORY);
  if (::fsync(handle.number()) != 0 && errno != EINVAL) raise_io("synchronize", folder);  // EINVAL: nothing to do there
}

}  // namespace knnbert::inline v0_1
