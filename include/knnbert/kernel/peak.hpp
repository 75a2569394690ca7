#pragma once
#include <algorithm>
#include <ctime>

#include "knnbert/kernel/arch.hpp"

/// What a core can do at most, measured beside every figure: fused multiply-adds on registers alone.
namespace knnbert::inline v0_1::kernel {

/// Seconds of processor time of this thread.
inline double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// How an asm statement names a vector register: that of a processor without a name here goes through memory.
#if defined(__x86_64__) || defined(__i386__)
#define KNNBERT_VECTOR "+v"
#elif defined(__aarch64__) || defined(__arm__)
#define KNNBERT_VECTOR "+w"
#else
#define KNNBERT_VECTOR "+m"
#endif

/// Floating-point operations a second of `rounds` x 12 independent steps: enough to hide the latency.
template <class Arch>
[[gnu::noinline]] double peak_once(long rounds) {
  Floats<Arch> a[12], x(1e-6f);
#pragma GCC unroll 12
  for (int i = 0; i < 12; ++i) a[i] = Floats<Arch>(0.0f);  // every loop over them unrolled, or they live on the stack
  const double start = cpu_seconds();
  for (long r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < 12; ++i) a[i] = xsimd::fma(x, x, a[i]);
    __asm__ volatile(""
                     : KNNBERT_VECTOR(a[0].data), KNNBERT_VECTOR(a[1].data), KNNBERT_VECTOR(a[2].data),
                       KNNBERT_VECTOR(a[3].data), KNNBERT_VECTOR(a[4].data), KNNBERT_VECTOR(a[5].data));
    __asm__ volatile(""
                     : KNNBERT_VECTOR(a[6].data), KNNBERT_VECTOR(a[7].data), KNNBERT_VECTOR(a[8].data),
                       KNNBERT_VECTOR(a[9].data), KNNBERT_VECTOR(a[10].data), KNNBERT_VECTOR(a[11].data));
  }
  return 12.0 * 2.0 * static_cast<double>(lanes<Arch>) * static_cast<double>(rounds) / (cpu_seconds() - start);
}

#undef KNNBERT_VECTOR

/// The best of a few short runs, floating-point operations a second of one core: about 5 ms.
template <class Arch>
double peak() {
  double best = 0;
  for (int i = 0; i < 5; ++i) best = std::max(best, peak_once<Arch>(200000));
  return best;
}

struct Peak : Entry<double()> {
  template <class Arch>
  static constexpr type* function = peak<Arch>;
};
template <>
inline double peak<Dispatched>() {
  return dispatch<Peak>();
}

}  // namespace knnbert::inline v0_1::kernel
