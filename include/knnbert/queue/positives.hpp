#pragma once
#include <concepts>
#include <optional>
#include <span>

#include "knnbert/core/rng.hpp"
#include "knnbert/core/top_k.hpp"
#include "knnbert/core/view.hpp"
#include "knnbert/queue/options.hpp"

/// Which of the keys that may be positives of an anchor are used: the policies behind the variants of KNN-BERT.
namespace knnbert::inline v0_1 {

/// The keys that may be positives of one anchor.
struct Candidates {
  index_t anchor;                   ///< position in the batch
  std::span<const index_t> places;  ///< ascending
  std::span<const float> scores;    ///< of these slots
  index_t fewest;                   ///< number of candidates of the poorest valid anchor of the batch

  Scored candidate(std::size_t i) const { return {scores[i], places[i]}; }

  /// All candidates, closest first.
  std::vector<Scored> ranked() const {
    std::vector<Scored> all;
    all.reserve(places.size());
    for (std::size_t i = 0; i < places.size(); ++i) all.push_back(candidate(i));
    std::sort(all.begin(), all.end(), ranks_before);
    return all;
  }
};

/// How many candidates of either end of the ranking a policy chooses from.
struct RankingEnds {
  index_t most, least;
};

/// count(candidates, fewest, options) tells how many positives choose() appends, from the number of candidates alone.
/// Both are pure functions; randomness comes from rng only. A policy that chooses from the ends of the ranking only may
/// say so by ends(options): then choose() is given these candidates and perhaps some others, instead of all.
template <class P>
concept PositivePolicy = std::copyable<P> &&
    requires(const P& policy, index_t number, const ContrastOptions& options, const Candidates& candidates,
             const Rng& rng, std::vector<Scored>& chosen) {
  { policy.count(number, number, options) } -> std::convertible_to<index_t>;
  policy.choose(candidates, options, rng, chosen);
};

/// KNN-BERT: the most similar positives tighten clusters, the least similar pull outliers in.
struct MostAndLeastSimilar {
  index_t count(index_t candidates, index_t fewest, const ContrastOptions& o) const {
    const index_t limit = o.lists == Lists::per_query ? candidates : fewest;
    if (o.overlap == Overlap::unique) return std::min(limit, o.most_similar + o.least_similar);
    return std::min(limit, o.most_similar) + std::min(limit, o.least_similar);
  }

  std::optional<RankingEnds> ends(const ContrastOptions& o) const {
    if (o.lists != Lists::per_query) return std::nullopt;
    return RankingEnds{o.most_similar, o.least_similar};
  }

  void choose(const Candidates& c, const ContrastOptions& o, const Rng&, std::vector<Scored>& chosen) const {
    if (o.lists == Lists::per_query && o.overlap == Overlap::unique) return choose_ends(c, o, chosen);
    const auto ranked = c.ranked();
    const index_t limit = o.lists == Lists::per_query ? std::ssize(ranked) : c.fewest;
    const index_t most = std::min(limit, o.most_similar);
    const index_t least =
        o.overlap == Overlap::unique ? std::min(limit - most, o.least_similar) : std::min(limit, o.least_similar);
    chosen.insert(chosen.end(), ranked.begin(), ranked.begin() + most);
    chosen.insert(chosen.end(), ranked.begin() + (limit - least), ranked.begin() + limit);
  }

 private:
  /// Both ends of the ranking, without what lies between them: closest first, then farthest first.
  static void choose_ends(const Candidates& c, const ContrastOptions& o, std::vector<Scored>& chosen) {
    const auto before = std::ssize(chosen), count = std::ssize(c.places);
    for (std::size_t i = 0; i < c.places.size(); ++i) chosen.push_back(c.candidate(i));
    const auto first = chosen.begin() + before;
    if (count <= o.most_similar + o.least_similar) return std::sort(first, chosen.end(), ranks_before);
    const auto farther = [](const Scored& a, const Scored& b) { return ranks_before(b, a); };
    std::partial_sort(first, first + o.most_similar, chosen.end(), ranks_before);
    std::partial_sort(first + o.most_similar, first + o.most_similar + o.least_similar, chosen.end(), farther);
    chosen.resize(static_cast<std::size_t>(before + o.most_similar + o.least_similar));
  }
};

/// most_similar positives at random, without replacement.
struct RandomPositives {
  bool shared_ranks =
      false;  ///< one draw of ranks for the whole batch, below the poorest anchor's number (released code)

  index_t count(index_t candidates, index_t fewest, const ContrastOptions& o) const {
    return std::min(shared_ranks ? fewest : candidates, o.most_similar);
  }

  void choose(const Candidates& c, const ContrastOptions& o, const Rng& rng, std::vector<Scored>& chosen) const {
    if (shared_ranks) {
      const auto ranked = c.ranked();
      for (const index_t rank : draw(c.fewest, o.most_similar, rng))
        chosen.push_back(ranked[static_cast<std::size_t>(rank)]);
      return;
    }
    for (const index_t at : draw(std::ssize(c.places), o.most_similar, rng.fork(static_cast<std::uint64_t>(c.anchor))))
      chosen.push_back(c.candidate(static_cast<std::size_t>(at)));
  }

 private:
  /// The first `size` elements of a random order of 0..population-1.
  static std::vector<index_t> draw(index_t population, index_t size, const Rng& rng) {
    std::vector<index_t> order(static_cast<std::size_t>(population));
    std::iota(order.begin(), order.end(), index_t{0});
    size = std::min(size, population);
    for (index_t i = 0; i < size; ++i)
      std::swap(order[static_cast<std::size_t>(i)],
                order[static_cast<std::size_t>(i + rng.below(static_cast<std::uint64_t>(i), population - i))]);
    order.resize(static_cast<std::size_t>(size));
    return order;
  }
};

/// MoCo: the one positive of anchor i is row i of `keys`, which need not be in the queue. Same-class keys of the queue
/// are neither positives nor negatives.
struct OnePositive {
  ConstView keys;  // [B, D]

  index_t count(index_t, index_t, const ContrastOptions&) const { return 1; }
  void choose(const Candidates&, const ContrastOptions&, const Rng&, std::vector<Scored>&) const {}
};

/// ClusterMoCo: the most similar candidates only.
struct ClusterPositives {
  /// Released layout of negatives: with p positives an anchor, every negative is repeated p times and positive j is
  /// compared with the j-th slice of that list only.
  bool interleaved_negatives = false;

  index_t count(index_t candidates, index_t fewest, const ContrastOptions& o) const {
    return MostAndLeastSimilar{}.count(candidates, fewest, near(o));
  }
  std::optional<RankingEnds> ends(const ContrastOptions& o) const { return MostAndLeastSimilar{}.ends(near(o)); }
  void choose(const Candidates& c, const ContrastOptions& o, const Rng& rng, std::vector<Scored>& chosen) const {
    MostAndLeastSimilar{}.choose(c, near(o), rng, chosen);
  }

 private:
  ContrastOptions near(ContrastOptions o) const {
    o.least_similar = 0;
    if (interleaved_negatives) o.lists = Lists::batch_min;
    return o;
  }
};

/// Those of the policies above that choose from the queue, by name.
class SelectedPositives {
  QueueChoice choice_;

  template <class F>
  auto with(F&& f) const {
    if (choice_.kind == QueueKind::clustered) return f(ClusterPositives{interleaved_negatives});
    if (choice_.positives == PositiveRule::random) return f(RandomPositives{choice_.shared_ranks});
    return f(MostAndLeastSimilar{});
  }

 public:
  bool interleaved_negatives;  ///< see ClusterPositives

  explicit SelectedPositives(const QueueChoice& choice = {})
      : choice_(choice), interleaved_negatives(choice.interleaved_negatives) {}

  index_t count(index_t candidates, index_t fewest, const ContrastOptions& o) const {
    return with([&](const auto& policy) { return policy.count(candidates, fewest, o); });
  }
  std::optional<RankingEnds> ends(const ContrastOptions& o) const {
    return with([&](const auto& policy) {
      if constexpr (requires { policy.ends(o); }) return policy.ends(o);
      else return std::optional<RankingEnds>();
    });
  }
  void choose(const Candidates& c, const ContrastOptions& o, const Rng& rng, std::vector<Scored>& chosen) const {
    with([&](const auto& policy) { policy.choose(c, o, rng, chosen); });
  }
};

}  // namespace knnbert::inline v0_1
