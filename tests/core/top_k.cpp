#include "knnbert/core/top_k.hpp"

#include "catch.hpp"
#include "knnbert/core/rng.hpp"

using namespace knnbert;

namespace {

/// The k best by a full sort.
std::vector<Scored> by_sorting(std::vector<Scored> all, index_t k) {
  std::stable_sort(all.begin(), all.end(), [](const Scored& a, const Scored& b) {
    return a.score != b.score ? a.score > b.score : a.index < b.index;
  });
  all.resize(static_cast<std::size_t>(std::min(k, std::ssize(all))));
  return all;
}

bool equal(const std::vector<Scored>& a, const std::vector<Scored>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Scored& x, const Scored& y) { return x.score == y.score && x.index == y.index; });
}

}  // namespace

TEST_CASE("top k: equals a sort, with many ties and in any order of arrival") {
  const Rng rng(1, Stream::sample);
  for (const index_t levels : {1, 3, 50, 1000000})
    for (const index_t size : {0, 1, 2, 10, 500}) {
      std::vector<Scored> all;
      for (const index_t i : rng.permutation(size))
        all.push_back({static_cast<float>(rng.below(static_cast<std::uint64_t>(i), levels)), i});
      for (const index_t k : {0, 1, 2, 9, 10, 11, 499, 500, 501}) {
        CAPTURE(levels, size, k);
        TopK best(k), admitted(k);
        for (const Scored& item : all) {
          best.offer(item);
          if (admitted.admits(item.score)) admitted.offer(item);
        }
        const auto expected = by_sorting(all, k);
        CHECK(equal(best.take(), expected));
        CHECK(equal(admitted.take(), expected));
      }
    }
}

TEST_CASE("top k: taking empties the selection") {
  TopK best(2);
  best.offer({1, 0});
  CHECK(best.take().size() == 1);
  CHECK(best.take().empty());
  best.offer({2, 5});
  const auto again = best.take();
  REQUIRE(again.size() == 1);
  CHECK(again[0].index == 5);
}

TEST_CASE("top k: ranks by score, then by index") {
  CHECK(ranks_before({2, 9}, {1, 0}));
  CHECK(ranks_before({1, 0}, {1, 1}));
  CHECK_FALSE(ranks_before({1, 1}, {1, 1}));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(ranks_before({-1, 9}, {nan, 0}));
  CHECK_FALSE(ranks_before({nan, 0}, {-1, 9}));
  CHECK(ranks_before({nan, 0}, {nan, 1}));
  CHECK_FALSE(ranks_before({1, 1}, {1, 0}));
}

TEST_CASE("top k: NaN is kept where nothing better was offered") {
  TopK best(2);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (index_t i = 0; i < 9; ++i)
    if (best.admits(nan)) best.offer({nan, i});
  best.offer({1, 20});
  const auto kept = best.take();
  REQUIRE(kept.size() == 2);
  CHECK((kept[0].index == 20 && kept[1].index == 0));
}

TEST_CASE("top k: what is below the threshold cannot be kept") {
  TopK best(3);
  CHECK(best.threshold() == -std::numeric_limits<float>::infinity());
  for (index_t i = 0; i < 100; ++i) best.offer({static_cast<float>(i % 10), i});
  CHECK(best.threshold() > 0);
  CHECK_FALSE(best.admits(0));
  TopK negative(-1);
  negative.offer({1, 0});
  CHECK(negative.take().empty());
  CHECK(TopK(0).threshold() == std::numeric_limits<float>::infinity());
}

TEST_CASE("top k: does not reserve memory for k in advance") {
  TopK best(index_t{1} << 60);
  best.offer({1, 1});
  CHECK(best.take().size() == 1);
}
