#pragma once
#include <sys/mman.h>

#include <cstdint>
#include <span>

#include "knnbert/io/committed_file.hpp"

namespace knnbert::inline v0_1 {

/// The bytes of a regular file, mapped read-only into memory for the lifetime of this object.
/// The file must not be shortened meanwhile: reading a page that is gone ends the process (SIGBUS).
/// Errors: IoError.  Thread safety: const access.
class MemoryMap {
 public:
  MemoryMap() = default;
  explicit MemoryMap(const std::filesystem::path& path) {
    struct stat status;
    const FileDescriptor file = open_regular(path, status);
    if (status.st_size == 0) return;  // an empty range cannot be mapped
    const auto size = static_cast<std::size_t>(status.st_size);
    void* begin = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.number(), 0);
    if (begin == MAP_FAILED) raise_io("map", path);
    bytes_ = {static_cast<const std::byte*>(begin), size};
  }
  MemoryMap(MemoryMap&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MemoryMap& operator=(MemoryMap&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MemoryMap() {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }

  std::span<const std::byte> bytes() const { return bytes_; }
  index_t size() const { return std::ssize(bytes_); }

 private:
  std::span<const std::byte> bytes_;
};

/// Gives the whole pages of a range of a mapped file back to the system: they no longer count as this process's memory
/// and are read again when needed. Not for memory of any other kind, whose content would be lost.
inline void release_pages(std::span<const std::byte> mapped) {
  constexpr std::uintptr_t page = 4096;
  const auto begin = reinterpret_cast<std::uintptr_t>(mapped.data()), first = (begin + page - 1) / page * page,
             last = (begin + mapped.size()) / page * page;
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace knnbert::inline v0_1
