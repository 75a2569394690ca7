// What a warm model asks of the memory allocator. Buffers come from aligned_alloc and mmap, which the linker leads here
// (tests/CMakeLists.txt), everything else from operator new.
#include <sys/mman.h>
#include <atomic>
#include <cstdlib>
#include <new>

#include "knnbert/train/stepper.hpp"
#include "term/tiny_network.hpp"

namespace {

std::atomic<long> buffers_taken, objects_taken;

}  // namespace

extern "C" {
void* __real_aligned_alloc(std::size_t, std::size_t);
void* __wrap_aligned_alloc(std::size_t alignment, std::size_t size) {
  ++buffers_taken;
  return __real_aligned_alloc(alignment, size);
}
void* __real_mmap(void*, std::size_t, int, int, int, off_t);
void* __wrap_mmap(void* where, std::size_t size, int protection, int flags, int file, off_t offset) {
  ++buffers_taken;
  return __real_mmap(where, size, protection, flags, file, offset);
}
}

// Not inlined: the compiler would see a block of malloc given to delete, or the other way round.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++objects_taken;
  if (void* block = std::malloc(size ? size : 1)) return block;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* block) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept { std::free(block); }

using namespace knnbert_test;

namespace {

struct Count {
  long buffers = buffers_taken, objects = objects_taken;
  Count since() const {
    Count now;
    now.buffers -= buffers, now.objects -= objects;
    return now;
  }
};

}  // namespace

TEST_CASE("allocations: the counters count") {
  const Count start;
  const AlignedBuffer<float> small(10), large(1 << 20);
  CHECK(start.since().buffers == 2);
  CHECK(std::make_unique<int>(3));
  CHECK(start.since().objects >= 1);
}

TEST_CASE("allocations: a warm encoder takes no memory") {
  const auto network = tiny_network({.threads = 1});  // of several workers, one may get its first task late
  const auto data = tiny_examples({0, 1, 2, 0, 1, 0, 0, 2, 1, 1});
  Matrix embedding(data.size(), network.width());
  network.embed(network.values(), data.tokens(), std::nullopt, embedding);
  const Count start;
  network.embed(network.values(), data.tokens(), std::nullopt, embedding);
  CHECK(start.since().buffers == 0);
  CHECK(start.since().objects == 0);
}

TEST_CASE("allocations: a warm training step takes no memory") {
  auto network = tiny_network({.threads = 1});
  const auto data = tiny_examples({0, 1, 2, 0, 1, 0, 0, 2, 1, 1});
  const auto all = first_examples(10);
  Stepper stepper(
      network, data, TrainerOptions{.weight_decay = 0.01f}, CrossEntropy{0.6f},
      QueueContrastive(
          {.weight = 0.4f, .capacity = 20, .positives = 2, .contrast = {.most_similar = 4, .least_similar = 1}}));
  for (std::uint64_t step = 0; step < 30; ++step) stepper.step({.step = step}, all, 1e-3f);
  for (std::uint64_t step = 30; step < 40; ++step) {
    const Count start;
    stepper.step({.step = step}, all, 1e-3f);
    CHECK(start.since().buffers == 0);
    CHECK(start.since().objects == 0);
  }
}
