#pragma once
#include <cmath>
#include <cstdint>
#include <numbers>
#include <numeric>
#include <utility>
#include <vector>

#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// Uses of random numbers; each reads a stream of its own, so that adding one never shifts another.
enum class Stream : std::uint32_t {
  initialize,
  shuffle,
  split,
  dropout,
  positives,
  key_dropout,
  sample,
  noise,
  mask,
  attack,
  poison,
  clusters,
  augment,
};

/// Finalizer of splitmix64 (Steele, Lea, Flood 2014): a bijection that looks random.
constexpr std::uint64_t mix_bits(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// Counter-based random numbers: every draw is a pure function of (seed, epoch, step, stream, index), so results depend
/// neither on threads nor on where a run was resumed. Copy freely; there is no state to advance.
class Rng {
 public:
  constexpr Rng(std::uint64_t seed, Stream stream, std::uint64_t epoch = 0, std::uint64_t step = 0)
      : key_(mix_bits(mix_bits(mix_bits(mix_bits(seed) ^ epoch) ^ step) ^ static_cast<std::uint64_t>(stream))) {}

  /// The generator of item `index` of this stream.
  constexpr Rng fork(std::uint64_t index) const { return Rng(mix_bits(key_ ^ mix_bits(index))); }

  constexpr std::uint64_t key() const { return key_; }
  constexpr std::uint64_t bits(std::uint64_t index) const { return mix_bits(key_ + 0x9e3779b97f4a7c15u * index); }

  /// Uniform in [0, 1) with 53 random bits.
  constexpr double uniform(std::uint64_t index) const { return static_cast<double>(bits(index) >> 11) * 0x1p-53; }

  /// Uniform in [0, bound), bound > 0; the bias of the multiplication is below bound / 2^53.
  constexpr index_t below(std::uint64_t index, index_t bound) const {
    return static_cast<index_t>(uniform(index) * static_cast<double>(bound));
  }

  /// Standard normal (Box and Muller).
  double normal(std::uint64_t index) const {
    const double radius = std::sqrt(-2 * std::log(1 - uniform(2 * index)));
    return radius * std::cos(2 * std::numbers::pi * uniform(2 * index + 1));
  }

  /// A random order of 0..size-1 (Fisher and Yates).
  std::vector<index_t> permutation(index_t size) const {
    std::vector<index_t> order(static_cast<std::size_t>(size));
    std::iota(order.begin(), order.end(), index_t{0});
    for (index_t i = size - 1; i > 0; --i) std::swap(order[as_size(i)], order[as_size(below(as_size(i), i + 1))]);
    return order;
  }

 private:
  constexpr explicit Rng(std::uint64_t key) : key_(key) {}
  std::uint64_t key_;
};

}  // namespace knnbert::inline v0_1
