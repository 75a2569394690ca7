// The kernels for one instruction set: CMake gives the flags and the name of the one function that leaves this object.
#include "knnbert/kernel/table.hpp"

extern "C" void KNNBERT_FILL(knnbert::kernel::AnyFunction* table) {
  knnbert::kernel::AllEntries::fill<xsimd::default_arch>(table);
}
