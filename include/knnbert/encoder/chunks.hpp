#pragma once
#include <algorithm>
#include <span>
#include <vector>

#include "knnbert/core/parallel.hpp"

namespace knnbert {

/// Cuts a batch into runs of texts of about `tokens` tokens, at least one text each: the ends of the runs, in `ends`.
inline std::span<const index_t> chunk_ends(std::span<const index_t> offsets, index_t tokens, std::vector<index_t>& ends) {
  ends.clear();
  const index_t texts = std::ssize(offsets) - 1;
  for (index_t first = 0, last; first < texts; first = last) {
    for (last = first + 1; last < texts && offsets[last + 1] - offsets[first] <= tokens; ++last) {}
    ends.push_back(last);
  }
  return ends;
}

/// Tokens of a chunk: small enough that every worker gets some, large enough that weights are read rarely.
inline index_t chunk_tokens(index_t tokens, const Workers& workers) {
  constexpr index_t least = 96, most = 512;
  return std::clamp((tokens + workers.size() - 1) / workers.size(), least, most);
}

}  // namespace knnbert
