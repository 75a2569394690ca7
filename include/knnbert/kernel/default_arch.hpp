#pragma once
#if !defined(KNNBERT_DISPATCH)
#include <xsimd/config/xsimd_arch.hpp>
#endif

#include "knnbert/kernel/dispatch.hpp"

namespace knnbert::inline v0_1 {

/// The instruction set that the including translation unit is compiled for, or the processor's best one with
/// knnbert::dispatch. Everything that depends on it is a template on Arch: units with other flags then instantiate
/// other functions, and linking them together is no ODR violation.
#if defined(KNNBERT_DISPATCH)
using DefaultArch = kernel::Dispatched;
#else
using DefaultArch = xsimd::default_arch;
#endif

}  // namespace knnbert::inline v0_1
