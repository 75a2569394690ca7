#pragma once
#include <algorithm>

#include "knnbert/core/gradients.hpp"
#include "knnbert/core/parallel.hpp"

/// Parallel passes over the ranges of a parameter block.
namespace knnbert::inline v0_1::detail {

/// Calls visit(number, range) for every range, in tasks of several: rows of a lookup table are short.
template <class Visit>
void sweep(std::span<const Range> ranges, const Workers& workers, Visit&& visit) {
  constexpr index_t group = 4;
  const auto count = std::ssize(ranges);
  workers.for_each((count + group - 1) / group, [&](index_t task, index_t) {
    for (index_t i = task * group; i < std::min(count, (task + 1) * group); ++i)
      visit(static_cast<std::size_t>(i), ranges[static_cast<std::size_t>(i)]);
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

/// Rate factor of a parameter.
inline float multiplier(std::span<const float> multipliers, index_t parameter) {
  return multipliers.empty() ? 1.0f : multipliers[static_cast<std::size_t>(parameter)];
}

inline void require_step(std::string_view where, const ParameterBlock& values, const Gradients& gradients,
                         std::span<const float> multipliers) {
  const index_t size = gradients.table().size(), count = gradients.table().count();
  if (values.size() < size || values.table().size() != size)
    raise<ShapeError>("{}: parameters of {} floats but gradients of {}", where, values.table().size(), size);
  if (!multipliers.empty() && std::ssize(multipliers) != count)
    raise<ShapeError>("{}: {} multipliers for {} parameters", where, multipliers.size(), count);
}

}  // namespace knnbert::inline v0_1::detail
