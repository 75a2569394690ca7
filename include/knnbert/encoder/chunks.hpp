#pragma once
#include <algorithm>
#include <span>
#include <vector>

#include "knnbert/core/parallel.hpp"

namespace knnbert::inline v0_1 {

/// How many chunks a batch is cut into: as many for each worker, small enough that activations stay in the second-level
/// cache, large enough that weights are read rarely.
inline index_t chunk_count(index_t tokens, const Workers& workers) {
  constexpr index_t least = 64, most = 512;
  const index_t enough = (tokens + most - 1) / most,
                even = (enough + workers.size() - 1) / workers.size() * workers.size();
  return std::clamp<index_t>(even, 1, std::max<index_t>(1, tokens / least));
}

/// Cuts a batch into at most `count` runs of texts of nearly equal numbers of tokens: the ends of the runs, in `ends`.
inline std::span<const index_t> chunk_ends(std::span<const index_t> offsets, index_t count,
                                           std::vector<index_t>& ends) {
  ends.clear();
  const index_t texts = std::ssize(offsets) - 1, begin = offsets.front(), tokens = offsets.back() - begin;
  for (index_t chunk = 1, last = 0; chunk <= count; ++chunk) {
    const index_t target = begin + tokens * chunk / count;
    index_t end =
        chunk == count ? texts : std::lower_bound(offsets.begin(), offsets.end() - 1, target) - offsets.begin();
    if (end > 0 && chunk < count && target - offsets[as_size(end - 1)] < offsets[as_size(end)] - target)
      --end;  // the nearer border
    if (end > last) ends.push_back(last = end);
  }
  return ends;
}

}  // namespace knnbert::inline v0_1
