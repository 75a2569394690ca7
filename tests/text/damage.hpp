#pragma once
#include <string>

#include "knnbert/core/rng.hpp"

namespace knnbert_test {

/// A text in which three places were overwritten, lost or repeated; every number of a round damages others.
inline std::string damaged(std::string text, std::uint64_t seed, int round) {
  const auto rng = knnbert::Rng(seed, knnbert::Stream::noise).fork(static_cast<std::uint64_t>(round));
  std::uint64_t draws = 0;
  const auto below = [&](std::size_t bound) {
    return static_cast<std::size_t>(rng.below(draws++, static_cast<knnbert::index_t>(bound)));
  };
  for (int i = 0; i < 3; ++i) {
    const auto at = below(text.size()), length = below(20);
    if (below(2)) text[at] = static_cast<char>(below(256));
    else if (below(2)) text.erase(at, length);
    else text.insert(at, text.substr(below(text.size()), length));
  }
  return text;
}

}  // namespace knnbert_test
