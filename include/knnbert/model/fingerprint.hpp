#pragma once
#include <bit>
#include <string>

#include "knnbert/core/parameters.hpp"
#include "knnbert/core/rng.hpp"

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

/// Floats of a block whose weights lie in panels.
inline index_t canonical_size(const ParameterTable& table) {
  index_t size = 0;
  for (const Parameter& p : table.all())
    size += round_up(p.weight ? round_up(p.rows, panel_width) * p.cols : p.size, panel_width);
  return size;
}

}  // namespace detail

/// 16 hexadecimal digits that change with any bit of the parameters: keys made by one encoder are told from another's.
/// The layout of weights does not matter. Not cryptographic.  Cost: one pass over the block.  Errors: OptionError if
/// some values were dropped.
inline std::string fingerprint(const ParameterBlock& values) {
  values.require_complete("fingerprint");
  std::uint64_t lanes[4] = {1, 2, 3, 4};  // independent chains hide the latency of the multiplications
  detail::for_each_canonical(values, [&](const float* floats, index_t count) {
    for (index_t i = 0; i + 3 < count; i += 4)
      for (int j = 0; j < 4; ++j)
        lanes[j] = (lanes[j] ^ std::bit_cast<std::uint32_t>(floats[i + j])) * 0x9e3779b97f4a7c15u + (lanes[j] >> 47);
  });
  std::uint64_t hash = static_cast<std::uint64_t>(detail::canonical_size(values.table()));
  for (const auto lane : lanes) hash = mix_bits(hash ^ lane);
  std::string digits;
  for (int shift = 60; shift >= 0; shift -= 4) digits += "0123456789abcdef"[(hash >> shift) & 15];
  return digits;
}

}  // namespace knnbert::inline v0_1
