#pragma once
#include <algorithm>
#include <set>

#include "knnbert/queue/positives.hpp"
#include "knnbert/testing/laws.hpp"

namespace knnbert::inline v0_1::testing {

/// The laws of PositivePolicy. unique: whether a key is chosen at most once with Overlap::unique.
template <PositivePolicy P>
BrokenLaws positive_laws(const P& policy = {}, bool unique = true) {
  BrokenLaws broken;
  const Matrix drawn = random_rows(1, 40, 1);
  const Rng rng(2, Stream::sample);
  for (const index_t size : {1, 2, 7, 40})
    for (const Lists lists : {Lists::per_query, Lists::batch_min})
      for (const auto& [most, least] : {std::pair<index_t, index_t>{1, 0}, {3, 1}, {0, 2}, {100, 10}}) {
        const ContrastOptions options{.most_similar = most, .least_similar = least, .lists = lists};
        const index_t fewest = std::max<index_t>(1, size / 2);
        std::vector<index_t> places;
        for (index_t i = 0; i < size; ++i) places.push_back(3 * i);
        const std::span<const float> scores(drawn.row(0).data(), static_cast<std::size_t>(size));
        const Candidates candidates{.anchor = 4, .places = places, .scores = scores, .fewest = fewest};
        std::vector<Scored> chosen{{-7, -7}}, again{{-7, -7}};
        policy.choose(candidates, options, rng, chosen);
        policy.choose(candidates, options, rng, again);
        expect(broken, !chosen.empty() && chosen.front().index == -7, "choose() appends");
        const auto same = [](const Scored& a, const Scored& b) { return a.score == b.score && a.index == b.index; };
        expect(broken, std::ranges::equal(chosen, again, same),
               "choose() is a function of its arguments and the random numbers");
        expect(broken, std::ssize(chosen) - 1 == policy.count(size, fewest, options),
               "count() tells how many of {} are chosen: {}, {} were", size, policy.count(size, fewest, options),
               std::ssize(chosen) - 1);
        std::set<index_t> seen;
        for (std::size_t i = 1; i < chosen.size(); ++i) {
          const auto found = std::lower_bound(places.begin(), places.end(), chosen[i].index);
          const bool known = found != places.end() && *found == chosen[i].index;
          expect(broken, known && scores[static_cast<std::size_t>(found - places.begin())] == chosen[i].score,
                 "what is chosen is a candidate with its score");
          if (unique)
            expect(broken, seen.insert(chosen[i].index).second, "candidate {} is chosen once", chosen[i].index);
        }
      }
  return broken;
}

}  // namespace knnbert::inline v0_1::testing
