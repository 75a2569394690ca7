#pragma once
#include "knnbert/metric/concept.hpp"

namespace knnbert::inline v0_1 {

/// A metric whose score of prepared rows is their inner product, which a device computes as one matrix product: Cosine,
/// Dot.
template <class M>
concept InnerProduct = Metric<M> && requires {
  typename ProductArch<M>::type;
};

}  // namespace knnbert::inline v0_1
