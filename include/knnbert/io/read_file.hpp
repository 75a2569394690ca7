#pragma once
#include <algorithm>
#include <string>

#include "knnbert/io/committed_file.hpp"

namespace knnbert::inline v0_1 {

/// How messages call an input: its path, or "standard input" for "-".
inline std::string input_name(const std::filesystem::path& path) {
  return path == "-" ? std::string("standard input") : path.string();
}

namespace detail {

inline std::string read_all(int file, index_t expected, index_t max_bytes, const std::filesystem::path& path) {
  constexpr index_t smallest = 65536;
  std::string content;
  for (index_t filled = 0;;) {
    if (filled == std::ssize(content))  // one byte more than expected: the end shows without growing
      content.resize(static_cast<std::size_t>(filled == 0 ? std::max(expected + 1, smallest) : 2 * filled));
    const auto got = ::read(file, content.data() + filled, content.size() - static_cast<std::size_t>(filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) raise_io("read", input_name(path));
    filled += got;
    if (filled > max_bytes) raise<FormatError>("{}: more than {} bytes, the limit", input_name(path), max_bytes);
    if (got > 0) continue;
    content.resize(static_cast<std::size_t>(filled));
    return content;
  }
}

}  // namespace detail

/// All bytes of a file, a pipe or, for the path "-", standard input.
/// Errors: IoError; FormatError beyond max_bytes.
inline std::string read_file(const std::filesystem::path& path, index_t max_bytes) {
  if (path == "-") return detail::read_all(STDIN_FILENO, 0, max_bytes, path);
  const FileDescriptor file = open_committed(path);
  struct stat status;
  if (::fstat(file.number(), &status) != 0) raise_io("inspect", path);
  const index_t size = S_ISREG(status.st_mode) ? static_cast<index_t>(status.st_size) : 0;
  if (size > max_bytes) raise<FormatError>("{}: {} bytes given, at most {} expected", path.string(), size, max_bytes);
  return detail::read_all(file.number(), size, max_bytes, path);
}

}  // namespace knnbert::inline v0_1
