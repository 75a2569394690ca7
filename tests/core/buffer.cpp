#include "knnbert/core/buffer.hpp"

#include "catch.hpp"

using namespace knnbert;

namespace {

bool is_aligned(const void* address, std::uintptr_t alignment) {
  return reinterpret_cast<std::uintptr_t>(address) % alignment == 0;
}

template <class T>
bool all_zero(const AlignedBuffer<T>& buffer) {
  for (const T& value : buffer.span())
    if (value != T{}) return false;
  return true;
}

}  // namespace

TEST_CASE("buffer: zeroed and aligned to cache lines, large ones to huge pages") {
  for (const index_t size : {1, 15, 16, 17, 1000, 524287}) {
    const AlignedBuffer<float> buffer(size);
    CHECK(buffer.size() == size);
    CHECK(is_aligned(buffer.data(), 64));
    CHECK(all_zero(buffer));
  }
  const AlignedBuffer<float> large(600000);
  CHECK(is_aligned(large.data(), std::uintptr_t{2} << 20));
  CHECK(all_zero(large));
  const AlignedBuffer<double> doubles(3);
  CHECK(is_aligned(doubles.data(), 64));
}

TEST_CASE("buffer: grows only, and a new block is zero again") {
  AlignedBuffer<float> buffer;
  CHECK(buffer.size() == 0);
  CHECK(buffer.data() == nullptr);
  CHECK_FALSE(buffer.reserve(0));
  CHECK(buffer.reserve(10));
  buffer[9] = 5;
  const float* before = buffer.data();
  CHECK_FALSE(buffer.reserve(10));
  CHECK_FALSE(buffer.reserve(3));
  CHECK(buffer.data() == before);
  CHECK(buffer[9] == 5);
  CHECK(buffer.size() == 10);
  CHECK(buffer.reserve(11));
  CHECK(buffer.size() >= 11);
  CHECK(all_zero(buffer));
}

TEST_CASE("buffer: copies are deep, moves hand the block over") {
  AlignedBuffer<int> a(4);
  for (int i = 0; i < 4; ++i) a[i] = i;
  AlignedBuffer<int> b(a);
  b[0] = 9;
  CHECK(a[0] == 0);
  CHECK(b[3] == 3);
  const int* place = b.data();
  AlignedBuffer<int> c(std::move(b));
  CHECK(c.data() == place);
  CHECK(c[0] == 9);
  a = c;
  CHECK(a[0] == 9);
  CHECK(a.data() != c.data());
  a = std::move(c);
  CHECK(a.data() == place);
  const AlignedBuffer<int>& same = a;
  a = same;
  CHECK(a[0] == 9);
  const AlignedBuffer<int> none, copy_of_none(none);
  CHECK(copy_of_none.size() == 0);
}
