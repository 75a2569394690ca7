#pragma once
#include <sys/file.h>

#include <concepts>
#include <span>
#include <string>
#include <vector>

#include "knnbert/io/file_descriptor.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// Temporary files are .knnbert-<process>-<number>.tmp; who writes one holds a lock on it.
inline constexpr const char *temporary_beginning = ".knnbert-", *temporary_ending = ".tmp";

}  // namespace detail

/// A file that appears complete or not at all: bytes go to a temporary file beside it, commit() renames that one.
/// Without commit the old file stays as it was and the temporary file is removed. A symbolic link is followed; an
/// existing file passes its permissions on.  Errors: IoError.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path) : path_(resolve(path)), file_(create()) {
    struct stat old;
    if (::stat(path_.c_str(), &old) == 0) (void)!::fchmod(file_.number(), old.st_mode & 07777);
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  void append(std::span<const std::byte> bytes) {
    if (buffer_.size() + bytes.size() > capacity) flush();
    if (bytes.size() > capacity) return write(bytes);
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  }
  void append(std::string_view text) { append(std::as_bytes(std::span(text.data(), text.size()))); }

  /// Makes the new content durable and visible under the path. Call once, last.
  /// An error after the rename (the folder cannot be synchronized) leaves the new file in place.
  void commit() {
    flush();
    if (::fsync(file_.number()) != 0) raise_io("synchronize", path_);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) raise_io("replace", path_);
    temporary_.clear();
    synchronize_folder(path_.has_parent_path() ? path_.parent_path() : std::filesystem::path("."));
  }

 private:
  static constexpr std::size_t capacity = std::size_t{1} << 16;

  static std::filesystem::path resolve(const std::filesystem::path& path) {
    std::error_code ignored;
    const auto status = std::filesystem::status(path, ignored);
    if (!std::filesystem::exists(status)) return path;
    if (!std::filesystem::is_regular_file(status)) raise<IoError>("{}: not a regular file", path.string());
    return std::filesystem::is_symlink(path) ? std::filesystem::canonical(path) : path;
  }

  /// Opens a temporary file under a name that nobody uses and stores that name.
  int create() {
    buffer_.reserve(capacity);
    for (index_t i = 0;; ++i) {
      temporary_ = path_.parent_path() /
                   format("{}{}-{}{}", detail::temporary_beginning, ::getpid(), i, detail::temporary_ending);
      const int number = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (number >= 0) {
        ::flock(number, LOCK_EX | LOCK_NB);  // tells others that its writer lives
        return number;
      }
      if (errno != EEXIST) raise_io("create", path_);
    }
  }

  void flush() {
    write(buffer_);
    buffer_.clear();
  }

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const auto written = ::write(file_.number(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) raise_io("write", path_);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }

  std::vector<std::byte> buffer_;
  std::filesystem::path path_, temporary_;
  FileDescriptor file_;
};

/// Replaces the file by what write(AtomicFile&) appends. If write throws, the old file is untouched.
template <class Write>
  requires std::invocable<Write&, AtomicFile&>
void write_file_atomically(const std::filesystem::path& path, Write&& write) {
  AtomicFile file(path);
  write(file);
  file.commit();
}

/// Replaces the file by the given content.
inline void write_file_atomically(const std::filesystem::path& path, std::string_view content) {
  write_file_atomically(path, [&](AtomicFile& file) { file.append(content); });
}

}  // namespace knnbert::inline v0_1
