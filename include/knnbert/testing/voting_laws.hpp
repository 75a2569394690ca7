#pragma once
#include "knnbert/testing/laws.hpp"
#include "knnbert/voting/concept.hpp"

namespace knnbert::inline v0_1::testing {

namespace detail {

inline bool is_distribution(std::span<const float> p) {
  double total = 0;
  bool positive = true;
  for (const float x : p) total += x, positive = positive && x >= 0;
  return positive && std::abs(total - 1) < 1e-5;
}

}  // namespace detail

/// The laws of Voting.
template <Voting V>
BrokenLaws voting_laws(const V& voting = {}) {
  BrokenLaws broken;
  std::vector<float> p(4, 9.0f), again(4, -9.0f);
  voting({}, p);
  expect(broken, p == std::vector<float>(4, 0.25f), "without neighbors the distribution is uniform");
  const std::vector<Neighbor> some{{5, 2, 0.9f}, {1, 2, 0.5f}, {8, 0, 0.5f}, {3, 3, -0.4f}};
  for (std::size_t k = 1; k <= some.size(); ++k) {
    voting(std::span(some).first(k), p);
    voting(std::span(some).first(k), again);
    expect(broken, detail::is_distribution(p), "{} neighbors give a distribution", k);
    expect(broken, p == again, "pure: overwrites, equal results for equal arguments");
    expect(broken, p[1] == 0.0f || p[1] < p[2], "a class without neighbors does not win");
  }
  const std::vector<Neighbor> tie{{0, 3, 0.5f}, {1, 1, 0.5f}};
  voting(tie, p);
  expect(broken, p[1] == p[3], "equal neighbors of two classes give a tie");
  bool refused = false;
  try {
    voting(std::vector<Neighbor>{{0, 4, 0.5f}}, p);
  } catch (const ShapeError&) { refused = true; }
  expect(broken, refused, "a label outside the classes is refused");
  return broken;
}

/// The laws of Fusion.
template <Fusion F>
BrokenLaws fusion_laws(const F& fusion = {}) {
  BrokenLaws broken;
  const std::vector<float> head{0.7f, 0.2f, 0.1f}, knn{0.0f, 1.0f, 0.0f};
  std::vector<float> out(3), aliased = head;
  fusion(head, knn, out);
  fusion(aliased, knn, aliased);
  expect(broken, detail::is_distribution(out), "two distributions give a distribution");
  expect(broken, out == aliased, "out may be one of the arguments");
  fusion(head, head, out);
  for (std::size_t c = 0; c < 3; ++c)
    expect(broken, std::abs(out[c] - head[c]) < 1e-6f, "equal distributions stay what they are");
  return broken;
}

}  // namespace knnbert::inline v0_1::testing
