#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>

#include "knnbert/kernel/arch.hpp"

/// What the core can do at most, measured beside every figure: fused multiply-adds on registers alone.
namespace knnbert_benchmark {

using namespace knnbert;

/// Seconds of processor time of this thread.
inline double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

/// Seconds of a clock on the wall.
inline double wall_seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// One step on a register of sums: what the instruction is, and how many operations it does.
template <class Arch>
struct Fp32Step {
  using sum_type = Floats<Arch>;
  static constexpr double operations = 2.0 * static_cast<double>(lanes<Arch>);
  static KNNBERT_INLINE sum_type zero() { return sum_type(0.0f); }
  static KNNBERT_INLINE void run(sum_type& sum, Floats<Arch> x) { sum = xsimd::fma(x, x, sum); }
};

/// Operations a second of `rounds` x 12 independent steps: enough to hide the latency of any of these instructions.
template <class Arch, class Step>
[[gnu::noinline]] double peak_once(long rounds) {
  typename Step::sum_type a[12];
#pragma GCC unroll 12
  for (int i = 0; i < 12; ++i) a[i] = Step::zero();  // every loop over them unrolled, or they live on the stack
  Floats<Arch> x(1e-6f);
  const double start = cpu_seconds();
  for (long r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < 12; ++i) Step::run(a[i], x);
    __asm__ volatile("" : "+v"(a[0].data), "+v"(a[1].data), "+v"(a[2].data), "+v"(a[3].data), "+v"(a[4].data), "+v"(a[5].data));
    __asm__ volatile("" : "+v"(a[6].data), "+v"(a[7].data), "+v"(a[8].data), "+v"(a[9].data), "+v"(a[10].data), "+v"(a[11].data));
  }
  return 12.0 * Step::operations * static_cast<double>(rounds) / (cpu_seconds() - start);
}

/// The best of a few short runs: about 5 ms.
template <class Arch, class Step = Fp32Step<Arch>>
double peak() {
  double best = 0;
  for (int i = 0; i < 5; ++i) best = std::max(best, peak_once<Arch, Step>(200000));
  return best;
}

}  // namespace knnbert_benchmark
