#pragma once
#include "knnbert/core/buffer.hpp"
#include "knnbert/core/precision.hpp"

namespace knnbert::inline v0_1 {

/// A weight [N, K] as products in reduced precision read it: lanes of two bf16 or four int8 along K, in panels
/// [N / 16][lanes][16]. Int8 is symmetric per output: w = scale * q, |q| <= 127.
struct LoweredWeight {
  AlignedBuffer<float> panels;  // 32-bit lanes, not floats
  AlignedBuffer<float> scales;  // int8: [N]
  AlignedBuffer<float> sums;    // int8: [N] sum over K of q, which goes with the zero of the activations
};

}  // namespace knnbert::inline v0_1
