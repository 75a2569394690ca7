#pragma once
#include <filesystem>
#include <string>
#include <system_error>

#include "knnbert/core/error.hpp"

namespace knnbert {

/// Fills a folder as one unit: write(folder) works in a new folder beside the target, which takes the target's place when
/// everything is written. Entries of the old folder that the new one lacks are kept. On failure the target is what it
/// was.  Errors: IoError, and what write throws.
template <class Write>
void write_directory_atomically(const std::filesystem::path& target, Write&& write) {
  namespace fs = std::filesystem;
  const fs::path place = fs::absolute(target).lexically_normal();
  const fs::path clean = place.has_filename() ? place : place.parent_path();  // a trailing slash names the same folder
  const fs::path fresh = clean.string() + ".new", old = clean.string() + ".old";
  std::error_code error;
  const auto check = [&](std::string_view action) {
    if (error) raise<IoError>("{}: cannot {}: {}", clean.string(), action, error.message());
  };
  fs::remove_all(fresh, error), check("clear the temporary folder");
  fs::create_directories(fresh, error), check("create a temporary folder");
  try {
    write(fresh);
  } catch (...) {
    fs::remove_all(fresh, error);
    throw;
  }
  fs::remove_all(old, error), check("clear the previous folder");
  if (fs::exists(clean)) fs::rename(clean, old, error), check("move the previous folder away");
  fs::rename(fresh, clean, error);
  if (error) {
    std::error_code ignored;
    fs::rename(old, clean, ignored);
    check("put the new folder into place");
  }
  if (!fs::exists(old)) return;
  for (const auto& entry : fs::directory_iterator(old))
    if (const auto kept = clean / entry.path().filename(); !fs::exists(kept)) fs::rename(entry.path(), kept, error), check("keep an entry");
  fs::remove_all(old, error), check("remove the previous folder");
}

}  // namespace knnbert
