#pragma once
#include "knnbert/config.hpp"
#include "knnbert/io/atomic_file.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE AtomicFile::AtomicFile(const std::filesystem::path& path) : path_(resolve(path)), file_(create()) {
  struct stat old;
  if (::stat(path_.c_str(), &old) == 0) (void)!::fchmod(file_.number(), old.st_mode & 07777);
}

KNNBERT_INLINE AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

KNNBERT_INLINE void AtomicFile::append(std::span<const std::byte> bytes) {
  if (buffer_.size() + bytes.size() > capacity) flush();
  if (bytes.size() > capacity) return write(bytes);
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

KNNBERT_INLINE void AtomicFile::commit() {
  flush();
  if (::fsync(file_.number()) != 0) raise_io("synchronize", path_);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) raise_io("replace", path_);
  temporary_.clear();
  synchronize_folder(path_.has_parent_path() ? path_.parent_path() : std::filesystem::path("."));
}

namespace detail {

/// What a path of no file leads to.  Errors: IoError for links in a circle.
inline std::filesystem::path behind_links(std::filesystem::path path) {
  constexpr int most = 40;  // as the system follows
  std::error_code ignored;
  for (int i = 0; std::filesystem::is_symlink(path, ignored); ++i) {
    if (i == most) raise_io("create", path, ELOOP);
    path = path.parent_path() / std::filesystem::read_symlink(path);
  }
  return path;
}

}  // namespace detail

KNNBERT_INLINE std::filesystem::path AtomicFile::resolve(const std::filesystem::path& path) {
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  if (!std::filesystem::exists(status)) return detail::behind_links(path);
  if (!std::filesystem::is_regular_file(status)) raise<IoError>("{}: not a regular file", path.string());
  return std::filesystem::is_symlink(path) ? std::filesystem::canonical(path) : path;
}

KNNBERT_INLINE int AtomicFile::create() {
  buffer_.reserve(capacity);
  for (index_t i = 0;; ++i) {
    temporary_ =
        path_.parent_path() / format("{}{}-{}{}", detail::temporary_beginning, ::getpid(), i, detail::temporary_ending);
    const int number = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (number >= 0) {
      ::flock(number, LOCK_EX | LOCK_NB);  // tells others that its writer lives
      return number;
    }
    if (errno != EEXIST) raise_io("create", path_);
  }
}

KNNBERT_INLINE void AtomicFile::flush() {
  write(buffer_);
  buffer_.clear();
}

KNNBERT_INLINE void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(file_.number(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) raise_io("write", path_);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

KNNBERT_INLINE void write_file_atomically(const std::filesystem::path& path, std::string_view content) {
  write_file_atomically(path, [&](AtomicFile& file) { file.append(content); });
}

}  // namespace knnbert::inline v0_1
