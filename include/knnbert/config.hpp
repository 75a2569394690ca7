#pragma once
// Everything a user can configure at compile time.

/// Internal contracts, checked in debug builds only; public entries throw instead. Define it to use another mechanism.
#ifndef KNNBERT_ASSERT
#include <cassert>
#define KNNBERT_ASSERT(condition) assert(condition)
#endif

/// Definitions that are no templates and cost much to compile lie in headers of their own, *_impl.hpp. They are inline,
/// unless a library has compiled them: with KNNBERT_COMPILED, which the target knnbert::dispatch defines for whoever
/// links it, headers leave them out. KNNBERT_COMPILING is for the units of such a library alone.
#if defined(KNNBERT_COMPILING)
#define KNNBERT_INLINE
#else
#define KNNBERT_INLINE inline
#endif
