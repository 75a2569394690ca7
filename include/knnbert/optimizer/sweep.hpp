#pragma once
#include <algorithm>

#include "knnbert/core/gradients.hpp"
#include "knnbert/core/parallel.hpp"

/// Parallel passes over the ranges of a parameter block.
namespace knnbert::detail {

/// Calls visit(number, range) for every range, in tasks of several short ranges.
template <class Visit>
void sweep(std::span<const Range> ranges, const Workers& workers, Visit&& visit) {
  constexpr index_t least = index_t{1} << 15;  // floats a task
  std::vector<std::size_t> starts;
  index_t floats = least;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (floats >= least) starts.push_back(i), floats = 0;
    floats += ranges[i].end - ranges[i].begin;
  }
  starts.push_back(ranges.size());
  workers.for_each(std::ssize(starts) - 1, [&](index_t task, index_t) {
    const auto t = static_cast<std::size_t>(task);
    for (std::size_t i = starts[t]; i < starts[t + 1]; ++i) visit(i, ranges[i]);
  });
}

/// Calls visit(parameter number, part) for the parts of a range that belong to different parameters.
template <class Visit>
void for_each_parameter(const ParameterTable& table, Range range, Visit&& visit) {
  const auto& all = table.all();
  auto parameter = std::upper_bound(all.begin(), all.end(), range.begin,
                                    [](index_t at, const Parameter& p) { return at < p.offset; }) -
                   1;
  for (index_t begin = range.begin; begin < range.end; ++parameter) {
    const index_t end = std::min(range.end, parameter + 1 == all.end() ? table.size() : (parameter + 1)->offset);
    visit(parameter - all.begin(), Range{begin, end});
    begin = end;
  }
}

/// Rows of the lookup table that never received a gradient, in pieces: what a pass over gradients.ranges() leaves out.
inline std::vector<Range> inactive_ranges(Gradients& gradients) {
  std::vector<Range> gaps;
  if (!gradients.table().has_lookup()) return gaps;
  const Parameter& lookup = gradients.table().lookup();
  constexpr index_t piece = 128;  // rows
  index_t next = 0;
  const auto close = [&](index_t row) {
    for (; next < row; next = std::min(row, next + piece))
      gaps.push_back({lookup.offset + next * lookup.cols, lookup.offset + std::min(row, next + piece) * lookup.cols});
    next = row + 1;
  };
  for (const index_t row : gradients.active_rows()) close(row);
  close(lookup.rows);
  return gaps;
}

/// Rate factor of a parameter.
inline float multiplier(std::span<const float> multipliers, index_t parameter) {
  return multipliers.empty() ? 1.0f : multipliers[static_cast<std::size_t>(parameter)];
}

inline void require_step(std::string_view where, const ParameterBlock& parameters, const Gradients& gradients,
                         std::span<const float> multipliers) {
  const index_t size = gradients.table().size(), count = gradients.table().count();
  if (parameters.size() < size || parameters.table().size() != size)
    raise<ShapeError>("{}: parameters of {} floats but gradients of {}", where, parameters.table().size(), size);
  if (!multipliers.empty() && std::ssize(multipliers) != count)
    raise<ShapeError>("{}: {} multipliers for {} parameters", where, multipliers.size(), count);
}

}  // namespace knnbert::detail
