#pragma once
#include "knnbert/core/rng.hpp"
#include "knnbert/nn/linear.hpp"

namespace knnbert::inline v0_1 {

/// Fills a layer with uniform numbers in +-1/sqrt(inputs), weight and bias.
inline void initialize_uniform(const Linear& layer, ParameterBlock& values, const Rng& rng) {
  const double bound = 1 / std::sqrt(static_cast<double>(layer.inputs));
  for (const index_t number : {layer.weight, layer.bias}) {
    const Parameter& p = values.table()[number];
    const Rng own = rng.fork(mix_bits(static_cast<std::uint64_t>(number)));
    for (index_t r = 0; r < p.rows; ++r)
      for (index_t c = 0; c < p.cols; ++c)
        values.data()[p.at(r, c)] =
            static_cast<float>(bound * (2 * own.uniform(static_cast<std::uint64_t>(r * p.cols + c)) - 1));
  }
}

}  // namespace knnbert::inline v0_1
