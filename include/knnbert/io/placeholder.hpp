#pragma once
#include <string_view>

#include "knnbert/core/error.hpp"

namespace knnbert::inline v0_1 {

/// Throws FormatError for what downloads leave in place of a file: a Git LFS pointer, or a web page that says why not.
/// For files that never begin like these.
inline void refuse_placeholder(std::string_view content, std::string_view name) {
  if (content.starts_with("version https://git-lfs"))
    raise<FormatError>("{}: a Git LFS pointer given, the file itself expected: 'git lfs pull' in its folder gets it",
                       name);
  const auto first = content.substr(0, 512).find_first_not_of(" \t\r\n");
  if (first == content.npos || content[first] != '<') return;
  const auto is_named = [&](std::string_view tag) {
    const auto start = content.substr(first, tag.size());
    for (std::size_t i = 0; i < tag.size(); ++i)
      if (i >= start.size() || (start[i] != tag[i] && start[i] != tag[i] - 'a' + 'A')) return false;
    return true;
  };
  if (is_named("<!doctype") || is_named("<html") || is_named("<?xml"))
    raise<FormatError>("{}: a web page given, such as a server's error message, the file itself expected", name);
}

}  // namespace knnbert::inline v0_1
