// Part of knnbert::dispatch, see cmake/compiled.cmake.
#include "knnbert/knnbert.hpp"

namespace knnbert {
template class Trainer<DefaultStack, CrossEntropy>;
template class Trainer<DefaultStack, CrossEntropy, QueueContrastive>;
}  // namespace knnbert
