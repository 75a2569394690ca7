#pragma once
#include "knnbert/config.hpp"
#include "knnbert/io/atomic_file.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE AtomicFile::AtomicFile(const std::filesystem::path& path) : path_(resolve(path)), file_(create()) {}

KNNBERT_INLINE AtomicFile::~AtomicFile() {
  if (!temporary_.empty() && owner_.is_this_process()) ::unlink(temporary_.c_str());
}

KNNBERT_INLINE void AtomicFile::append(std::span<const std::byte> bytes) {
  if (buffer_.size() + bytes.size() > capacity) flush();
  if (bytes.size() > capacity) return write(bytes);
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

KNNBERT_INLINE void AtomicFile::commit() {
  flush();
  (void)!::stat(path_.c_str(), &old_);  // its permissions may have changed
  if (old_.st_mode != 0) detail::take_permissions(file_.number(), old_);
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
    std::error_code error;
    const auto next = std::filesystem::read_symlink(path, error);
    if (error) raise_io("follow", path, error.value());
    path = path.parent_path() / next;
  }
  return path;
}

}  // namespace detail

KNNBERT_INLINE std::filesystem::path AtomicFile::resolve(const std::filesystem::path& path) {
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  if (!std::filesystem::exists(status)) return detail::behind_links(path);
  if (!std::filesystem::is_regular_file(status)) raise<IoError>("{}: not a regular file", path.string());
  if (!std::filesystem::is_symlink(path, ignored)) return path;
  std::error_code error;
  auto target = std::filesystem::canonical(path, error);
  if (error) raise_io("follow", path, error.value());
  return target;
}

KNNBERT_INLINE FileDescriptor AtomicFile::create() {
  buffer_.reserve(capacity);
  const mode_t mode = ::stat(path_.c_str(), &old_) == 0 ? 0600 : 0666;
  for (index_t i = 0;; ++i) {
    temporary_ =
        path_.parent_path() / format("{}{}-{}{}", detail::temporary_beginning, ::getpid(), i, detail::temporary_ending);
    FileDescriptor file(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (file.number() < 0 && errno == EEXIST) continue;
    if (file.number() < 0) raise_io("create", path_);
    // tells others that its writer lives; until then one may have taken it for a dead one's
    const bool taken = ::flock(file.number(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (!taken && detail::is_still_at(file.number(), temporary_)) return file;
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
