#pragma once
// Everything a user can configure at compile time, and what the library asks of a compiler: one sentence instead of a
// page of errors.

#if !defined(__GNUC__) || (defined(__clang__) && __clang_major__ < 14) || (!defined(__clang__) && __GNUC__ < 11)
#error "knnbert needs g++ 11 or later, or clang 14 or later."
#elif __cplusplus < 202002L
#error "knnbert needs C++20: -std=c++20, or CMAKE_CXX_STANDARD 20."
#elif __SIZEOF_POINTER__ < 8
#error "knnbert needs a 64-bit processor."
#elif defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "knnbert checks for NaN and infinity, which -ffast-math turns off: add -fno-finite-math-only after it."
#endif

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
