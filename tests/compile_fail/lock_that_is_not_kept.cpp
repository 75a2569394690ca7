// expect: nodiscard
#include "knnbert/io/directory_lock.hpp"
#pragma GCC diagnostic error "-Wunused-result"
#pragma GCC diagnostic error "-Wunused-value"

void change() {
#ifdef KNNBERT_FIXED
  const knnbert::DirectoryLock lock("model");
#else
  knnbert::DirectoryLock("model");
#endif
}
