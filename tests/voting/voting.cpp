#include "catch.hpp"
#include "knnbert/testing/voting_laws.hpp"
#include "knnbert/voting/convex_fusion.hpp"
#include "knnbert/voting/selected.hpp"

using namespace knnbert;
using knnbert_test::approx;

static_assert(Voting<SelectedVoting> && Voting<MajorityVoting> && Voting<SoftmaxWeighted> && Voting<DistanceWeighted>);
static_assert(Fusion<ConvexFusion> && Fusion<HeadOnly> && Fusion<KnnOnly>);

namespace {

const std::vector<Neighbor> neighbors{{4, 1, 0.8f}, {2, 0, 0.6f}, {9, 1, 0.5f}};

struct Unnormalized {
  void operator()(std::span<const Neighbor> n, std::span<float> p) const {
    MajorityVoting{}(n, p);
    p[0] += 0.5f;
  }
};

}  // namespace

TEST_CASE("voting rules and fusions keep their laws", "[voting]") {
  CHECK(testing::voting_laws<MajorityVoting>() == testing::BrokenLaws{});
  CHECK(testing::voting_laws<SoftmaxWeighted>() == testing::BrokenLaws{});
  CHECK(testing::voting_laws<DistanceWeighted>() == testing::BrokenLaws{});
  CHECK(testing::fusion_laws<ConvexFusion>() == testing::BrokenLaws{});
  CHECK(testing::fusion_laws<HeadOnly>() == testing::BrokenLaws{});
  CHECK(testing::fusion_laws<KnnOnly>() == testing::BrokenLaws{});
  CHECK_FALSE(testing::voting_laws<Unnormalized>().empty());
}

TEST_CASE("votes of three neighbors", "[voting]") {
  std::vector<float> p(3);
  MajorityVoting{}(neighbors, p);
  CHECK(p == std::vector<float>{1 / 3.0f, 2 / 3.0f, 0});
  SoftmaxWeighted{0.1f}(neighbors, p);
  const double a = 1, b = std::exp(-2.0), c = std::exp(-3.0);
  CHECK(p[0] == approx(b / (a + b + c)));
  CHECK(p[1] == approx((a + c) / (a + b + c)));
  DistanceWeighted{}(neighbors, p);
  const double x = 1 / 0.2, y = 1 / 0.4, z = 1 / 0.5;
  CHECK(p[0] == approx(y / (x + y + z)).epsilon(1e-4));
  CHECK(p[1] == approx((x + z) / (x + y + z)).epsilon(1e-4));
}

TEST_CASE("a vote that is chosen by name is that vote", "[voting]") {
  SelectedVoting selected;
  CHECK(selected.name() == "count");
  std::vector<float> p(3), expected(3);
  const auto check = [&](std::string_view name, const auto& voting) {
    CHECK(selected.set_name(name));
    CHECK(selected.name() == name);
    CHECK(testing::voting_laws(selected) == testing::BrokenLaws{});
    selected(neighbors, p), voting(neighbors, expected);
    CHECK(p == expected);
  };
  selected.temperature = 0.5f, selected.closest = 2, selected.epsilon = 0.25f;
  check("softmax", SoftmaxWeighted{0.5f});
  check("distance", DistanceWeighted{2, 0.25f});
  check("count", MajorityVoting{});
  CHECK_FALSE(selected.set_name("Count"));
  CHECK(selected.kind == VotingKind::count);
}

TEST_CASE("voting survives extreme scores and options", "[voting]") {
  std::vector<float> p(2);
  SoftmaxWeighted{1e-6f}(std::vector<Neighbor>{{0, 0, 1000.0f}, {1, 1, -1000.0f}}, p);
  CHECK(p == std::vector<float>{1, 0});
  DistanceWeighted{}(std::vector<Neighbor>{{0, 0, 1.0f}, {1, 1, 1.0000001f}}, p);  // cosines may exceed 1 by rounding
  CHECK(p == std::vector<float>{0.5f, 0.5f});
  CHECK_THROWS_AS((SoftmaxWeighted{0.0f}(neighbors, p)), OptionError);
  CHECK_THROWS_AS((DistanceWeighted{1.0f, 0.0f}(neighbors, p)), OptionError);
  for (const float closest : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
    CHECK_THROWS_AS((DistanceWeighted{.closest = closest}(neighbors, p)), OptionError);
  CHECK_THROWS_AS((MajorityVoting{}(neighbors, std::span<float>())), ShapeError);
}

TEST_CASE("no share of a vote or of a mixture exceeds 1 by rounding", "[voting]") {
  std::vector<float> p(2);
  const auto check = [&](const auto& voting) {
    for (index_t count = 1; count <= 400; ++count) {
      std::vector<Neighbor> alike;
      for (index_t i = 0; i < count; ++i) alike.push_back({i, 1, 0.9f - 0.37f * static_cast<float>(i) / 400});
      voting(alike, p);
      CHECK(p[1] <= 1);
      CHECK(p[1] == approx(1));
      for (const float phi : {0.1f, 0.3f, 0.7f, 1 / 3.0f, 1e-8f}) {
        std::vector<float> mixed(2);
        ConvexFusion{phi}(std::vector<float>{0, 1}, p, mixed);
        CHECK(mixed[1] <= 1);
      }
    }
  };
  check(MajorityVoting{}), check(SoftmaxWeighted{}), check(DistanceWeighted{});
}

TEST_CASE("fusion of two distributions", "[voting]") {
  const std::vector<float> head{0.9f, 0.1f}, knn{0.0f, 1.0f};
  std::vector<float> out(2);
  ConvexFusion{}(head, knn, out);
  CHECK(out[0] == approx(0.81));
  CHECK(out[1] == approx(0.19));
  ConvexFusion{1.0f}(head, knn, out);
  CHECK(out == knn);
  HeadOnly{}(head, knn, out);
  CHECK(out == head);
  KnnOnly{}(head, knn, out);
  CHECK(out == knn);
  CHECK_THROWS_AS((ConvexFusion{1.5f}(head, knn, out)), OptionError);
  CHECK_THROWS_AS((ConvexFusion{}(head, std::span(knn).first(1), out)), ShapeError);
}
