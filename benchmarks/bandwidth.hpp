#pragma once
#include "clock.hpp"

/// What the core can read from memory at most, measured beside every figure.
namespace knnbert_benchmark {

/// Bytes a second of one pass over `floats` (many times the caches) in order: whole vectors, lines asked for 4 KB
/// ahead.
template <class Arch>
[[gnu::noinline]] double read_bandwidth_once(const float* data, index_t floats) {
  constexpr index_t vectors = 8, step = vectors * lanes<Arch>, ahead = 1024;
  Floats<Arch> sums[vectors];
#pragma GCC unroll 8
  for (auto& sum : sums) sum = Floats<Arch>(0.0f);
  const double start = cpu_seconds();
  for (index_t i = 0; i + step <= floats; i += step) {
#pragma GCC unroll 8
    for (index_t line = 0; line < step; line += 16) __builtin_prefetch(data + i + ahead + line);
#pragma GCC unroll 8
    for (index_t v = 0; v < vectors; ++v) sums[v] = sums[v] + kernel::load<Arch>(data + i + v * lanes<Arch>);
  }
  const double seconds = cpu_seconds() - start;
  for (auto& sum : sums) __asm__ volatile("" : : "x"(sum.data));
  return static_cast<double>(floats) * sizeof(float) / seconds;
}

/// The best of a few passes.
template <class Arch>
double read_bandwidth(const float* data, index_t floats) {
  double best = 0;
  for (int i = 0; i < 3; ++i) best = std::max(best, read_bandwidth_once<Arch>(data, floats));
  return best;
}

}  // namespace knnbert_benchmark
