#pragma once
#include <string>

#include "knnbert/core/checksum.hpp"
#include "knnbert/core/parameters.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// The floats of a block as panels would hold them, so that one model has one fingerprint: visit(floats, count),
/// several times, each count a multiple of 4.
template <class Visit>
void for_each_canonical(const ParameterBlock& values, Visit&& visit) {
  const float* floats = values.data();
  if (values.table().weights() == Layout::panels) return visit(floats, values.size());
  AlignedBuffer<float> panel;
  for (const Parameter& p : values.table().all()) {
    if (!p.weight) {
      visit(floats + p.offset, round_up(p.size, panel_width));
      continue;
    }
    panel.reserve(panel_width * p.cols);
    for (index_t first = 0; first < p.rows; first += panel_width) {
      std::fill_n(panel.data(), panel_width * p.cols, 0.0f);
      for (index_t r = first; r < std::min(p.rows, first + panel_width); ++r)
        for (index_t c = 0; c < p.cols; ++c) panel[c * panel_width + r - first] = floats[p.at(r, c)];
      visit(panel.data(), panel_width * p.cols);
    }
  }
}

}  // namespace detail

/// 16 hexadecimal digits that change with any bit of the parameters: keys made by one encoder are told from another's.
/// The layout of weights does not matter. Not cryptographic.  Cost: one pass over the block.  Errors: OptionError if
/// some values were dropped.
inline std::string fingerprint(const ParameterBlock& values) {
  values.require_complete("fingerprint");
  Checksum checksum;
  detail::for_each_canonical(values, [&](const float* floats, index_t count) {
    checksum.update(std::as_bytes(std::span(floats, static_cast<std::size_t>(count))));
  });
  return checksum.digits();
}

}  // namespace knnbert::inline v0_1
