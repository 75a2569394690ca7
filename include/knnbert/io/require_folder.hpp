#pragma once
#include "knnbert/io/committed_file.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// Whether a model or encoder may have a file of that name which is read from beginning to end.
inline bool is_settings_file(const std::filesystem::path& name) {
  return name.extension() == ".json" || name == "vocab.txt" || name == "merges.txt";
}

}  // namespace detail

/// Throws IoError unless the path names a folder, none of whose settings is a pipe, on which a reader would wait;
/// `what` says of what kind, in words.
inline void require_folder(const std::filesystem::path& path, std::string_view what) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT && !path.empty() && detail::is_there(path.string() + ".knnbert-old"))
      return;  // see newest_path
    if (errno == ENOENT) raise<IoError>("{}: no such folder, {} expected", path.string(), what);
    raise_io("open", path);
  }
  if (!S_ISDIR(status.st_mode)) raise<IoError>("{}: a file given, {} expected", path.string(), what);
  std::error_code ignored;
  for (std::filesystem::directory_iterator entry(path, ignored), end; entry != end; entry.increment(ignored))
    if (detail::is_settings_file(entry->path().filename()) && entry->is_fifo(ignored))
      raise<IoError>("{}: not a regular file", entry->path().string());
}

}  // namespace knnbert::inline v0_1
