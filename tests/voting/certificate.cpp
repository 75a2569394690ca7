// What certificates promise, against every possible edit of small datastores.
#include "knnbert/voting/certificate.hpp"

#include <bit>

#include "catch.hpp"
#include "knnbert/core/rng.hpp"
#include "knnbert/voting/convex_fusion.hpp"
#include "knnbert/voting/selected.hpp"

using namespace knnbert;

namespace {

/// A datastore as a query sees it: labels and scores, closest first.
struct Store {
  std::vector<Neighbor> examples;
  index_t k, classes;
  std::vector<float> head;
  SelectedVoting voting;
  float phi;

  label_t answer(std::vector<Neighbor> all) const {
    std::stable_sort(all.begin(), all.end(), [](const Neighbor& a, const Neighbor& b) { return a.score > b.score; });
    all.resize(std::min(all.size(), static_cast<std::size_t>(k)));
    std::vector<float> knn(head.size()), out(head.size());
    voting(all, knn);
    ConvexFusion{phi}(head, knn, out);
    return static_cast<label_t>(std::max_element(out.begin(), out.end()) - out.begin());
  }
  label_t answer() const { return answer(examples); }
  index_t certified() const {
    const auto first = std::span(examples).first(std::min(examples.size(), static_cast<std::size_t>(k)));
    const CertifiedAnswer a{
        .label = answer(), .phi = phi, .head = head, .classes = classes, .exact = voting.exact() && phi == 1};
    return certified_edits(
        first, k, a, [&](float score) { return voting.weight(score); }, voting.weight(1));
  }
  /// Whether any edits, up to m removed and up to m added examples of any class and nearness, change the answer.
  bool can_change(index_t m) const {
    const label_t now = answer();
    for (std::uint32_t removed = 0; removed < (1u << examples.size()); ++removed) {
      if (std::popcount(removed) > m) continue;
      std::vector<Neighbor> left;
      for (std::size_t i = 0; i < examples.size(); ++i)
        if (!(removed >> i & 1)) left.push_back(examples[i]);
      if (add_changes(left, m, now, 0)) return true;
    }
    return false;
  }

 private:
  /// Added examples in the order of their kinds, so that every multiset is tried once.
  bool add_changes(std::vector<Neighbor>& left, index_t more, label_t now, index_t first_kind) const {
    if (answer(left) != now) return true;
    if (more == 0) return false;
    constexpr float scores[] = {1, 0.55f, -1};
    for (index_t kind = first_kind; kind < 3 * classes; ++kind) {
      left.push_back({1000, static_cast<label_t>(kind % classes), scores[kind / classes]});
      const bool changes = add_changes(left, more - 1, now, kind);
      left.pop_back();
      if (changes) return true;
    }
    return false;
  }
};

Store random_store(std::uint64_t seed, VotingKind kind, float phi) {
  const Rng rng(seed, Stream::sample);
  Store s{
      .examples = {}, .k = 1 + rng.below(0, 5), .classes = 2 + rng.below(1, 2), .head = {}, .voting = {}, .phi = phi};
  s.voting.kind = kind;
  s.voting.temperature = 0.4f;
  const index_t size = rng.below(2, 8);
  float score = 0.99f;
  for (index_t i = 0; i < size; ++i) {
    const auto draw = static_cast<std::uint64_t>(10 + 2 * i);
    s.examples.push_back(
        {i, static_cast<label_t>(rng.uniform(draw) < 0.6 ? 0 : rng.below(draw + 1, s.classes)), score});
    score -= static_cast<float>(0.02 + 0.3 * rng.uniform(draw + 100));
  }
  float sum = 0;
  for (index_t c = 0; c < s.classes; ++c) {
    s.head.push_back(static_cast<float>(0.05 + rng.uniform(static_cast<std::uint64_t>(200 + c))));
    sum += s.head.back();
  }
  for (float& h : s.head) h /= sum;
  return s;
}

}  // namespace

TEST_CASE("a count vote's certificate is exact: m edits never change the answer, some m + 1 do") {
  int finite = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const Store s = random_store(seed, VotingKind::count, 1);
    const index_t m = s.certified();
    CAPTURE(seed, m, s.k, s.examples.size());
    if (m == Certificate::any_number) continue;
    ++finite;
    if (m > 0) CHECK(!s.can_change(m));
    CHECK(s.can_change(m + 1));
  }
  CHECK(finite == 400);
}

TEST_CASE("certificates of combined answers and of similarity votes hold, and are hardly ever too careful") {
  for (const VotingKind kind : {VotingKind::count, VotingKind::softmax})
    for (const float phi : {1.0f, 0.6f, 0.3f}) {
      int finite = 0, reached = 0;
      for (std::uint64_t seed = 1000; seed < 1150; ++seed) {
        const Store s = random_store(seed, kind, phi);
        const index_t m = s.certified();
        CAPTURE(seed, m, s.k, phi, static_cast<int>(kind));
        if (m == Certificate::any_number) {
          CHECK(!s.can_change(std::min<index_t>(s.k, 3)));
          continue;
        }
        if (m > 0) CHECK(!s.can_change(m));
        ++finite, reached += s.can_change(m + 1);
      }
      CAPTURE(phi, static_cast<int>(kind), finite);
      CHECK(finite > 50);
      CHECK(reached >= finite * 99 / 100);
    }
}

TEST_CASE("certificates: a head that is sure enough answers whatever the examples are") {
  Store s = random_store(1, VotingKind::count, 0.1f);
  s.head.assign(s.head.size(), 0.0f);
  s.head[1] = 1;
  CHECK(s.certified() == Certificate::any_number);
  s.phi = 0;
  CHECK(s.certified() == Certificate::any_number);
  s.examples.clear();
  s.phi = 1;
  CHECK(s.certified() == 0);  // one example and the answer is its class
}

TEST_CASE("certificates: where no example can help another class, no number of neighbors takes time", "[voting]") {
  const std::vector<float> head{0.9f, 0.1f};
  const std::vector<Neighbor> few{{0, 0, 0.5f}, {1, 1, 0.4f}};
  const CertifiedAnswer answer{.label = 0, .phi = 0.1, .head = head, .classes = 2};
  CHECK(certified_edits(
            few, index_t{1} << 40, answer, [](float) { return 1.0; }, 1) == Certificate::any_number);
}

TEST_CASE("certificates: of thousands of neighbors, and the same as by trying every number of edits", "[voting]") {
  const index_t k = 4000;
  std::vector<Neighbor> many;
  for (index_t i = 0; i < k; ++i)
    many.push_back({i, static_cast<label_t>(i % 10 == 0 ? 1 + i % 7 : 0), 1 - static_cast<float>(i) / k});
  const auto weight = [](float score) { return std::exp(static_cast<double>(score)); };
  const CertifiedAnswer answer{.label = 0, .classes = 8};
  const index_t m = certified_edits(many, k, answer, weight, weight(1));
  std::vector<double> weights;
  for (const Neighbor& n : many) weights.push_back(weight(n.score));
  const auto wins = [&](index_t edits) {
    double total = 0, best = -1;
    for (label_t other = 1; other < 8; ++other)
      best = std::max(best, detail::best_advantage(many, weights, k, answer, other, edits, weight(1), total));
    return best > 0;
  };
  CHECK(m > k / 10);
  CHECK_FALSE(wins(m));
  CHECK(wins(m + 1));
}
