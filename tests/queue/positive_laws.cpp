// Positive policies keep their laws, and the laws notice what breaks them.
#include "knnbert/testing/positive_laws.hpp"

#include "catch.hpp"

using namespace knnbert;

namespace {

struct Forgetful : MostAndLeastSimilar {
  void choose(const Candidates& c, const ContrastOptions& o, const Rng& own, std::vector<Scored>& chosen) const {
    chosen.clear();
    MostAndLeastSimilar::choose(c, o, own, chosen);
  }
};
struct Miscounting : MostAndLeastSimilar {
  index_t count(index_t candidates, index_t fewest, const ContrastOptions& o) const {
    return MostAndLeastSimilar::count(candidates, fewest, o) + 1;
  }
};
struct Inventing : MostAndLeastSimilar {
  void choose(const Candidates& c, const ContrastOptions& o, const Rng& own, std::vector<Scored>& chosen) const {
    MostAndLeastSimilar::choose(c, o, own, chosen);
    chosen.back().index += 1;
  }
};

}  // namespace

TEST_CASE("positive policies keep their laws") {
  CHECK(testing::positive_laws<MostAndLeastSimilar>() == testing::BrokenLaws{});
  CHECK(testing::positive_laws<RandomPositives>() == testing::BrokenLaws{});
  CHECK(testing::positive_laws(RandomPositives{.shared_ranks = true}) == testing::BrokenLaws{});
  CHECK(testing::positive_laws<ClusterPositives>() == testing::BrokenLaws{});
}

TEST_CASE("the laws of positive policies notice what breaks them") {
  CHECK_FALSE(testing::positive_laws<Forgetful>().empty());
  CHECK_FALSE(testing::positive_laws<Miscounting>().empty());
  CHECK_FALSE(testing::positive_laws<Inventing>().empty());
}
