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
/// existing file passes its permissions on, and nobody whom they shut out reads the new one meanwhile. A process that
/// is forked leaves the files to its parent.  Errors: IoError.
class AtomicFile {
 public:
  [[nodiscard]] explicit AtomicFile(const std::filesystem::path& path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void append(std::span<const std::byte> bytes);
  void append(std::string_view text) { append(std::as_bytes(std::span(text.data(), text.size()))); }

  /// Makes the new content durable and visible under the path. Call once, last.
  /// An error after the rename (the folder cannot be synchronized) leaves the new file in place.
  void commit();

 private:
  static constexpr std::size_t capacity = std::size_t{1} << 16;

  static std::filesystem::path resolve(const std::filesystem::path& path);

  /// Opens a temporary file under a name that nobody uses and stores that name.
  FileDescriptor create();

  void flush();

  void write(std::span<const std::byte> bytes);

  std::vector<std::byte> buffer_;
  std::filesystem::path path_, temporary_;
  struct stat old_ {};  // all zero: no file
  detail::Owner owner_;
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
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/io/atomic_file_impl.hpp"
#endif
