// expect: constant\.capacity\(\).*invalid
#include "knnbert/queue/fifo.hpp"

// Everything of a queue by inheritance, except a bound.
struct Unbounded : knnbert::FifoQueue<> {
  using FifoQueue::FifoQueue;
#ifndef KNNBERT_FIXED
  knnbert::index_t capacity() const = delete;
#endif
};

template <knnbert::Queue Q>
struct Contrast {};

Contrast<Unbounded> contrast;
