#pragma once
#include <algorithm>

#include "knnbert/encoder/lowered_files.hpp"
#include "knnbert/model/network.hpp"

namespace knnbert::inline v0_1 {

/// The encoder's values become 1 - weight times what they are and weight times those of `start`, which the training
/// began with; heads stay as they are. What an encoder has unlearned about texts unlike its training data comes back in
/// part, for classes that are added later, at no cost of a prediction. To be called before index().
/// Wortsman et al. 2022 (WiSE-FT), arXiv 2109.01903.  Errors: OptionError for a weight outside of [0, 1] and a network
/// or values that were loaded for predictions only, ShapeError for the values of another network.
template <class Stack>
void interpolate(Network<Stack>& network, const ParameterBlock& start, float weight) {
  if (!(weight >= 0 && weight <= 1)) raise<OptionError>("interpolate: a weight of {} given, 0 to 1 expected", weight);
  std::as_const(network).values().require_complete("interpolate");
  ParameterBlock& values = network.values();
  const auto same = [](const Parameter& a, const Parameter& b) {
    return a.name == b.name && a.rows == b.rows && a.cols == b.cols && a.offset == b.offset;
  };
  if (start.size() != values.size() || !std::ranges::equal(start.table().all(), values.table().all(), same))
    raise<ShapeError>("interpolate: the values of another network given, those of the same one expected");
  start.require_complete("interpolate");
  if (weight == 0) return;
  const float* from = start.data();
  float* to = values.data();
  for (const Parameter& p : values.table().all()) {
    if (!of_encoder(p)) continue;
    for (index_t i = p.offset; i < p.offset + p.size; ++i)
      to[i] = weight == 1 ? from[i] : to[i] + weight * (from[i] - to[i]);
  }
  network.lower(values);
}

}  // namespace knnbert::inline v0_1
