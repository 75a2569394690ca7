#pragma once
#include "knnbert/io/committed_file.hpp"

namespace knnbert::inline v0_1 {

/// Throws IoError unless the path names a folder; `what` says of what kind, in words.
inline void require_folder(const std::filesystem::path& path, std::string_view what) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT && detail::is_there(path.string() + ".knnbert-old")) return;  // see newest_path
    if (errno == ENOENT) raise<IoError>("{}: no such folder, {} expected", path.string(), what);
    raise_io("open", path);
  }
  if (!S_ISDIR(status.st_mode)) raise<IoError>("{}: a file given, {} expected", path.string(), what);
}

}  // namespace knnbert::inline v0_1
