// expect: AlignedBuffer holds plain numbers only
#include <string>

#include "knnbert/core/buffer.hpp"

#ifdef KNNBERT_FIXED
knnbert::AlignedBuffer<float> buffer;
#else
knnbert::AlignedBuffer<std::string> buffer;
#endif
