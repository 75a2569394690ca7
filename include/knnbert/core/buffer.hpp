#pragma once
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "knnbert/core/types.hpp"

namespace knnbert {

/// Zeroed, 64-byte-aligned memory for trivially copyable elements. Grows only; growing drops the content.
/// Large blocks start at a huge-page boundary and ask for huge pages: fewer TLB misses are worth 5 % of an encoder pass.
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

  /// At least `size` elements; true if the memory was replaced (and is zero again).
  bool reserve(index_t size) {
    if (size <= size_) return false;
    const auto alignment = bytes(size) < huge_page ? cache_line : huge_page;
    const auto rounded = (bytes(size) + alignment - 1) / alignment * alignment;
    void* block = std::aligned_alloc(alignment, rounded);
    if (!block) throw std::bad_alloc();
#if defined(__linux__)
    if (alignment == huge_page) madvise(block, rounded, MADV_HUGEPAGE);
#endif
    std::memset(block, 0, rounded);
    memory_.reset(static_cast<T*>(block));
    size_ = size;
    return true;
  }

  T* data() const { return memory_.get(); }
  index_t size() const { return size_; }
  std::span<T> span() const { return {memory_.get(), static_cast<std::size_t>(size_)}; }
  T& operator[](index_t i) const { return memory_.get()[i]; }

 private:
  static constexpr std::size_t cache_line = 64, huge_page = std::size_t{2} << 20;
  static std::size_t bytes(index_t size) { return static_cast<std::size_t>(size) * sizeof(T); }

  struct Free {
    void operator()(T* block) const { std::free(block); }
  };
  std::unique_ptr<T, Free> memory_;
  index_t size_ = 0;
};

}  // namespace knnbert
