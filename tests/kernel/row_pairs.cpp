#include "knnbert/kernel/row_pairs.hpp"

#include "../catch.hpp"
#include "knnbert/kernel/dot.hpp"
#include "knnbert/kernel/masked_softmax.hpp"
#include "knnbert/testing/laws.hpp"

using namespace knnbert;
using knnbert::testing::random_rows;
using Arch = DefaultArch;

namespace {

/// Sum over the columns in double.
template <class F>
double plain(ConstView a, index_t i, ConstView b, index_t j, F&& term) {
  double total = 0;
  for (index_t c = 0; c < a.cols(); ++c) total += term(static_cast<double>(a(i, c)), static_cast<double>(b(j, c)));
  return total;
}

}  // namespace

TEST_CASE("row pairs: sums of every shape, and nothing beside them is written", "[kernel]") {
  for (const index_t width : {1, 4, 6, 50})
    for (const index_t queries : {1, 3, 4, 5, 8, 11, 16, 17, 20, 37, 64})
      for (const index_t keys : {1, 2, 5, 6, 12, 31}) {
        CAPTURE(width, queries, keys);
        const Matrix q = random_rows(queries, width, 1), k = random_rows(keys, width, 2);
        Matrix dots(queries + 1, keys + 1), squares(queries, keys);
        dots.fill(7);
        kernel::scores<Arch>(q, k, View(dots).row_range(0, queries).col_range(0, keys));
        kernel::squared_distances<Arch>(q, k, squares);
        for (index_t i = 0; i < queries; ++i) {
          REQUIRE(dots(i, keys) == 7.0f);
          for (index_t j = 0; j < keys; ++j) {
            REQUIRE(std::abs(dots(i, j) - plain(q, i, k, j, [](double a, double b) { return a * b; })) < 1e-4);
            REQUIRE(std::abs(squares(i, j) - plain(q, i, k, j, [](double a, double b) { return (a - b) * (a - b); })) <
                    1e-3);
          }
        }
        for (const float x : dots.row(queries)) REQUIRE(x == 7.0f);
      }
}

TEST_CASE("row pairs: a sum does not depend on batch and block", "[kernel]") {
  const index_t width = GENERATE(3, 32, 83);
  const Matrix q = random_rows(70, width, 1), k = random_rows(29, width, 2);
  Matrix all(70, 29), one(1, 1);
  kernel::scores<Arch>(q, k, all);
  for (index_t i = 0; i < 70; ++i)
    for (index_t j = 0; j < 29; ++j) {
      kernel::scores<Arch>(ConstView(q).row_range(i, 1), ConstView(k).row_range(j, 1), one);
      REQUIRE(one(0, 0) == all(i, j));
      kernel::scores<Arch>(ConstView(k).row_range(j, 1), ConstView(q).row_range(i, 1), one);
      REQUIRE(one(0, 0) == all(i, j));
    }
}

TEST_CASE("row pairs: the product of two rows", "[kernel]") {
  for (const index_t width : {1, 15, 16, 33, 200}) {
    const Matrix m = random_rows(2, width, 1);
    const double exact = plain(m, 0, m, 1, [](double a, double b) { return a * b; });
    CHECK(std::abs(kernel::dot<Arch>(m.row(0).data(), m.row(1).data(), width) - exact) <
          1e-5 * static_cast<double>(width));
  }
}

TEST_CASE("ends of a ranking: nothing that ranks there is missed", "[kernel]") {
  const index_t size = GENERATE(1, 17, 700, 5000);
  const float levels = GENERATE(4.0f, 1e6f);  // many ties, few ties
  for (const index_t most : {0, 1, 7, 100, 600})
    for (const index_t least : {0, 1, 30}) {
      if (most + least == 0) continue;
      CAPTURE(size, levels, most, least);
      Matrix row(1, size);
      const Matrix random = random_rows(1, size, 3);
      for (index_t j = 0; j < size; ++j) row(0, j) = j % 3 == 1 ? kernel::excluded : std::round(random(0, j) * levels);
      kernel::pad_excluded(row.data(), size);
      std::vector<float> included, visited;
      for (const float x : row.row(0))
        if (x != kernel::excluded) included.push_back(x);
      const auto ends = kernel::bound_ends<Arch>(row.data(), size, most, least);
      std::vector<index_t> places;
      kernel::collect_in_ends<Arch>(row.data(), size, ends, places, visited);
      REQUIRE(places.size() == visited.size());
      for (std::size_t i = 0; i < places.size(); ++i) CHECK(row(0, places[i]) == visited[i]);
      std::sort(included.begin(), included.end());
      std::sort(visited.begin(), visited.end());
      const auto some = [](index_t count, const auto& list) { return std::min(count, std::ssize(list)); };
      REQUIRE(std::equal(included.begin(), included.begin() + some(least, included), visited.begin()));
      REQUIRE(std::equal(included.rbegin(), included.rbegin() + some(most, included), visited.rbegin()));
      if (size == 5000 && levels > 4 && most <= 100) CHECK(visited.size() < 250);  // hardly more than asked for
    }
}

TEST_CASE("ends of a ranking: NaN is visited, excluded elements are not", "[kernel]") {
  Matrix row(1, 3);
  row(0, 0) = std::numeric_limits<float>::quiet_NaN(), row(0, 1) = kernel::excluded, row(0, 2) = 1;
  kernel::pad_excluded(row.data(), 3);
  std::vector<index_t> slots;
  std::vector<float> values;
  kernel::collect_in_ends<Arch>(row.data(), 3, kernel::Ends{2, 0}, slots, values);
  CHECK(slots == std::vector<index_t>{0});
}
