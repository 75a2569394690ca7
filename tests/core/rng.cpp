#include "knnbert/core/rng.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <span>

#include "catch.hpp"

using namespace knnbert;

namespace {

/// Pearson's statistic of counts that should all be `expected`.
double chi_square(std::span<const index_t> counts, double expected) {
  double total = 0;
  for (const index_t count : counts)
    total += (static_cast<double>(count) - expected) * (static_cast<double>(count) - expected) / expected;
  return total;
}

/// Correlation of two sequences of uniform numbers.
template <class F, class G>
double correlation(index_t size, F&& f, G&& g) {
  double sum = 0;
  for (index_t i = 0; i < size; ++i)
    sum += (f(static_cast<std::uint64_t>(i)) - 0.5) * (g(static_cast<std::uint64_t>(i)) - 0.5);
  return sum / static_cast<double>(size) * 12;
}

}  // namespace

TEST_CASE("rng: the mixer is splitmix64's") {
  // First outputs of the published generator for seed 0.
  CHECK(mix_bits(0) == 0xe220a8397b1dcdafu);
  CHECK(mix_bits(0x9e3779b97f4a7c15u) == 0x6e789e6aa1b965f4u);
  CHECK(mix_bits(2 * 0x9e3779b97f4a7c15u) == 0x06c45d188009454fu);
}

TEST_CASE("rng: a draw is a pure function of seed, epoch, step, stream and index") {
  constexpr Rng a(1, Stream::dropout, 2, 3);
  const Rng b(1, Stream::dropout, 2, 3);
  static_assert(a.bits(5) == Rng(1, Stream::dropout, 2, 3).bits(5));
  for (const std::uint64_t i : {100u, 3u, 100u, 0u}) CHECK(a.bits(i) == b.bits(i));
  CHECK(a.fork(4).bits(0) == b.fork(4).bits(0));
  std::set<std::uint64_t> keys;
  for (std::uint64_t seed = 0; seed < 5; ++seed)
    for (std::uint64_t epoch = 0; epoch < 5; ++epoch)
      for (std::uint64_t step = 0; step < 5; ++step)
        for (std::uint32_t stream = 0; stream < 11; ++stream)
          keys.insert(Rng(seed, static_cast<Stream>(stream), epoch, step).key());
  for (std::uint64_t i = 0; i < 1000; ++i) keys.insert(a.fork(i).key());
  CHECK(keys.size() == 5 * 5 * 5 * 11 + 1000);
}

TEST_CASE("rng: uniform numbers fill [0, 1) evenly") {
  const Rng rng(42, Stream::noise);
  constexpr index_t draws = 200000, cells = 100;
  std::array<index_t, cells> counts{};
  double sum = 0, squares = 0, least = 1, most = 0;
  for (index_t i = 0; i < draws; ++i) {
    const double u = rng.uniform(static_cast<std::uint64_t>(i));
    least = std::min(least, u), most = std::max(most, u);
    sum += u, squares += u * u;
    ++counts[static_cast<std::size_t>(u * cells)];
  }
  CHECK(least >= 0);
  CHECK(most < 1);
  CHECK(std::abs(sum / draws - 0.5) < 5 * std::sqrt(1.0 / 12 / draws));
  CHECK(std::abs(squares / draws - 1.0 / 3) < 5 * std::sqrt(4.0 / 45 / draws));
  CHECK(chi_square(counts, draws / cells) < 99 + 5 * std::sqrt(2 * 99.0));
}

TEST_CASE("rng: streams, steps, seeds, forks and neighbors are uncorrelated") {
  constexpr index_t size = 100000;
  const double bound = 5 / std::sqrt(static_cast<double>(size));
  const Rng base(7, Stream::dropout, 1, 1);
  const auto draw = [](const Rng& rng) { return [rng](std::uint64_t i) { return rng.uniform(i); }; };
  for (const Rng& other : {Rng(7, Stream::shuffle, 1, 1), Rng(7, Stream::dropout, 1, 2), Rng(7, Stream::dropout, 2, 1),
                           Rng(8, Stream::dropout, 1, 1), base.fork(0), base.fork(1)})
    CHECK(std::abs(correlation(size, draw(base), draw(other))) < bound);
  CHECK(std::abs(correlation(size, draw(base), [&](std::uint64_t i) { return base.uniform(i + 1); })) < bound);
  CHECK(std::abs(correlation(
            size, [&](std::uint64_t i) { return base.fork(i).uniform(0); },
            [&](std::uint64_t i) { return base.fork(i + 1).uniform(0); })) < bound);
}

TEST_CASE("rng: integers stay below their bound and are even") {
  const Rng rng(3, Stream::sample);
  for (const index_t bound : {1, 2, 3, 10}) {
    std::vector<index_t> counts(static_cast<std::size_t>(bound));
    constexpr index_t draws = 60000;
    for (index_t i = 0; i < draws; ++i) {
      const index_t value = rng.below(static_cast<std::uint64_t>(i), bound);
      REQUIRE((value >= 0 && value < bound));
      ++counts[static_cast<std::size_t>(value)];
    }
    const auto freedom = static_cast<double>(bound - 1);
    CHECK(chi_square(counts, static_cast<double>(draws) / static_cast<double>(bound)) <=
          freedom + 5 * std::sqrt(2 * freedom));
  }
  for (std::uint64_t i = 0; i < 1000; ++i) CHECK(rng.below(i, (index_t{1} << 52) + 1) <= index_t{1} << 52);
}

TEST_CASE("rng: normal numbers have the moments of the standard normal") {
  const Rng rng(5, Stream::noise);
  constexpr index_t draws = 200000;
  double sum = 0, squares = 0, cubes = 0, fourths = 0;
  index_t beyond = 0;
  for (index_t i = 0; i < draws; ++i) {
    const double x = rng.normal(static_cast<std::uint64_t>(i));
    REQUIRE(std::isfinite(x));
    sum += x, squares += x * x, cubes += x * x * x, fourths += x * x * x * x;
    beyond += std::abs(x) > 1.959964;
  }
  const auto bound = [](double variance) { return 5 * std::sqrt(variance / draws); };
  CHECK(std::abs(sum / draws) < bound(1));
  CHECK(std::abs(squares / draws - 1) < bound(2));
  CHECK(std::abs(cubes / draws) < bound(15));
  CHECK(std::abs(fourths / draws - 3) < bound(96));
  CHECK(std::abs(static_cast<double>(beyond) / draws - 0.05) < bound(0.05 * 0.95));
}

TEST_CASE("rng: permutations are permutations, and all orders are equally likely") {
  for (const index_t size : {0, 1, 2, 7, 1000}) {
    auto order = Rng(9, Stream::shuffle).permutation(size);
    REQUIRE(std::ssize(order) == size);
    std::sort(order.begin(), order.end());
    for (index_t i = 0; i < size; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
  }
  std::array<index_t, 24> counts{};
  constexpr index_t draws = 24000;
  for (index_t i = 0; i < draws; ++i) {
    auto order = Rng(1, Stream::shuffle, static_cast<std::uint64_t>(i)).permutation(4);
    index_t rank = 0;
    while (std::prev_permutation(order.begin(), order.end())) ++rank;
    ++counts[static_cast<std::size_t>(rank)];
  }
  CHECK(chi_square(counts, draws / 24) < 23 + 5 * std::sqrt(2 * 23.0));
  CHECK(Rng(9, Stream::shuffle).permutation(50) == Rng(9, Stream::shuffle).permutation(50));
  CHECK(Rng(9, Stream::shuffle).permutation(50) != Rng(9, Stream::shuffle, 1).permutation(50));
}
