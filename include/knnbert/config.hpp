#pragma once
// Everything a user can configure at compile time.

/// Internal contracts, checked in debug builds only; public entries throw instead. Define it to use another mechanism.
#ifndef KNNBERT_ASSERT
#include <cassert>
#define KNNBERT_ASSERT(condition) assert(condition)
#endif
