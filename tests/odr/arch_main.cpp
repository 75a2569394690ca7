#include <cmath>
#include <cstdio>

#include "arch.hpp"

int main() {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    std::puts("skipped: this processor has no AVX2");
    return 0;
  }
  const ArchResult slow = baseline::compute(), fast = avx2::compute();
  std::printf("%s and %s\n", slow.arch.c_str(), fast.arch.c_str());
  if (slow.arch == fast.arch || slow.values.size() != fast.values.size()) return 1;
  for (std::size_t i = 0; i < slow.values.size(); ++i) {
    if (std::abs(slow.values[i] - fast.values[i]) <= 1e-5f * (1.0f + std::abs(slow.values[i]))) continue;
    std::printf("value %zu: %g and %g\n", i, static_cast<double>(slow.values[i]), static_cast<double>(fast.values[i]));
    return 1;
  }
  return 0;
}
