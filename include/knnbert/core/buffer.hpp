#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>
#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// Zeroed, 64-byte-aligned memory for trivially copyable elements. Grows only; growing drops the content.
/// Large blocks start at a huge-page boundary and ask for huge pages: fewer TLB misses are worth 5 % of an encoder
/// pass.
template <class T>
class AlignedBuffer {
  static_assert(std::is_trivially_copyable_v<T>, "AlignedBuffer holds plain numbers only");

 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(index_t size) { reserve(size); }
  AlignedBuffer(const AlignedBuffer& other) : AlignedBuffer(other.size_) {
    if (size_) std::memcpy(memory_.get(), other.memory_.get(), bytes(size_));
  }
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : memory_(std::move(other.memory_)), size_(std::exchange(other.size_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(size_, other.size_);
    return *this;
  }

  /// At least `size` elements; true if the memory was replaced (and is zero again). A buffer that grows takes half as
  /// much again as it had, so that batches of ever new lengths soon find enough.
  bool reserve(index_t size) {
    if (size <= size_) return false;
    const index_t wanted = std::max(size, size_ + size_ / 2);
    memory_.reset();  // before the new block is taken: both need not fit
    size_ = 0;
    memory_ = allocate(bytes(wanted));
    size_ = wanted;
    return true;
  }

  /// Makes elements [first, first + count) zero; the system has whole pages of large buffers back.
  void discard(index_t first, index_t count) {
    T *begin = memory_.get() + first, *end = begin + count;
#if defined(__linux__)
    if (memory_.get_deleter().mapped) {
      const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
      const auto from = (reinterpret_cast<std::uintptr_t>(begin) + page - 1) / page * page,
                 to = reinterpret_cast<std::uintptr_t>(end) / page * page;
      if (from < to && madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED) == 0) {
        std::fill(begin, reinterpret_cast<T*>(from), T());
        begin = reinterpret_cast<T*>(to);
      }
    }
#endif
    std::fill(begin, end, T());
  }

  T* data() const { return memory_.get(); }
  index_t size() const { return size_; }
  std::span<T> span() const { return {memory_.get(), static_cast<std::size_t>(size_)}; }
  T& operator[](index_t i) const { return memory_.get()[i]; }

 private:
  static constexpr std::size_t cache_line = 64, huge_page = std::size_t{2} << 20;
  static std::size_t bytes(index_t size) { return static_cast<std::size_t>(size) * sizeof(T); }

  /// Gives back what `allocate` took: 0 bytes mark a block of the C library.
  struct Free {
    std::size_t mapped = 0;
    void operator()(T* block) const {
#if defined(__linux__)
      if (mapped) return void(munmap(block, mapped));
#endif
      std::free(block);
    }
  };
  using Memory = std::unique_ptr<T, Free>;

  static Memory allocate(std::size_t size) {
#if defined(__linux__)
    if (size >= huge_page) return map(size);
#endif
    const auto rounded = (size + cache_line - 1) / cache_line * cache_line;
    void* block = std::aligned_alloc(cache_line, rounded);
    if (!block) throw std::bad_alloc();
    std::memset(block, 0, rounded);
    return Memory(static_cast<T*>(block), {});
  }

#if defined(__linux__)
  /// Pages of the system are zero already, and those that nobody touches cost nothing.
  static Memory map(std::size_t size) {
    const auto rounded = (size + huge_page - 1) / huge_page * huge_page;
    void* block = mmap(nullptr, rounded + huge_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) throw std::bad_alloc();
    char* const begin = static_cast<char*>(block);
    const auto skipped = (huge_page - reinterpret_cast<std::uintptr_t>(begin) % huge_page) % huge_page;
    if (skipped) munmap(begin, skipped);
    munmap(begin + skipped + rounded, huge_page - skipped);
    madvise(begin + skipped, rounded, MADV_HUGEPAGE);
    return Memory(reinterpret_cast<T*>(begin + skipped), Free{rounded});
  }
#endif

  Memory memory_;
  index_t size_ = 0;
};

}  // namespace knnbert::inline v0_1
