#pragma once
#include <algorithm>
#include <limits>

#include "knnbert/datastore/concept.hpp"
#include "knnbert/metric/concept.hpp"
#include "knnbert/testing/laws.hpp"

namespace knnbert::inline v0_1::testing {

namespace detail {

inline bool sorted_by_score_then_id(std::span<const Neighbor> list) {
  return std::is_sorted(list.begin(), list.end(), [](const Neighbor& a, const Neighbor& b) {
    return a.score > b.score || (a.score == b.score && a.id < b.id);
  });
}

/// Neighbors found by scoring everything with the metric.
template <Metric M>
std::vector<Neighbor> search_plainly(const M& metric, ConstView query, ConstView keys, std::span<const example_id> ids,
                                     std::span<const label_t> labels) {
  Matrix q(1, query.cols()), k(keys.rows(), keys.cols()), scores(1, keys.rows());
  copy(query, q), copy(keys, k);
  metric.prepare(q), metric.prepare(k);
  metric.score(q, k, scores);
  std::vector<Neighbor> all;
  for (index_t i = 0; i < keys.rows(); ++i)
    all.push_back({ids[static_cast<std::size_t>(i)], labels[static_cast<std::size_t>(i)], scores(0, i)});
  std::sort(all.begin(), all.end(), [](const Neighbor& a, const Neighbor& b) {
    return a.score > b.score || (a.score == b.score && a.id < b.id);
  });
  for (Neighbor& n : all) n.score = bounded_score(metric, n.score);
  return all;
}

template <Datastore D>
bool unchanged(const D& store, index_t size, ConstView queries, const NeighborLists& lists) {
  return store.size() == size && store.search(queries, 7) == lists;
}

}  // namespace detail

/// The laws of Datastore. make() returns an empty store; exact: it has to find the same neighbors as its metric.
template <class Make>
BrokenLaws datastore_laws(Make&& make, bool exact = true) {
  BrokenLaws broken;
  auto store = make();
  const index_t width = store.width(), count = 150;
  const Matrix keys = random_rows(count, width, 41), queries = random_rows(5, width, 42);
  std::vector<label_t> labels;
  std::vector<std::string> texts;
  for (index_t i = 0; i < count; ++i)
    labels.push_back(static_cast<label_t>(i % 3)), texts.push_back("text " + std::to_string(i));
  expect(broken, store.size() == 0 && store.search(queries, 3).size() == 5 && store.search(queries, 3)[0].empty(),
         "an empty store finds nothing");

  auto ids = store.add(ConstView(keys).row_range(0, 60), std::span(labels).first(60), std::span(texts).first(60));
  for (index_t i = 60; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const auto more =
        store.add(ConstView(keys).row_range(i, 1), std::span(labels).subspan(at, 1), std::span(texts).subspan(at, 1));
    ids.insert(ids.end(), more.begin(), more.end());
  }
  auto distinct = ids;
  std::sort(distinct.begin(), distinct.end());
  expect(broken, std::adjacent_find(distinct.begin(), distinct.end()) == distinct.end(), "ids are distinct");
  expect(broken, store.size() == count, "size counts the entries");
  expect(broken, store.text(ids[77]) == texts[77], "texts are found by id");

  const auto few = store.search(queries, 7), all = store.search(queries, count + 10);
  for (index_t q = 0; q < 5; ++q) {
    expect(broken, std::ssize(few[q]) == 7 && detail::sorted_by_score_then_id(few[q]),
           "k neighbors, sorted by score, then by id");
    expect(broken, !exact || std::ssize(all[q]) == count, "k beyond the size returns all");
    const auto plain = detail::search_plainly(store.metric(), ConstView(queries).row_range(q, 1), keys, ids, labels);
    expect(broken, !exact || std::equal(all[q].begin(), all[q].end(), plain.begin(), plain.end()),
           "an exact store ranks as its metric does");
    const auto one = store.search(ConstView(queries).row_range(q, 1), 7);
    expect(broken, std::equal(one[0].begin(), one[0].end(), few[q].begin(), few[q].end()),
           "a query's neighbors do not depend on other queries");
  }

  Matrix bad = random_rows(2, width, 43);
  bad(1, 0) = std::numeric_limits<float>::infinity();
  bool refused = false;
  try {
    store.add(bad, std::span(labels).first(2), std::span(texts).first(2));
  } catch (const Error&) { refused = true; }
  expect(broken, refused && detail::unchanged(store, count, queries, few),
         "non-finite keys are refused and change nothing");

  const std::vector<example_id> gone{few[0][0].id, few[0][2].id, few[0][0].id, 1'000'000};
  expect(broken, store.remove(gone) == 2 && store.size() == count - 2, "remove counts what was there");
  const auto rest = store.search(queries, count);
  for (index_t q = 0; q < 5; ++q)
    for (const Neighbor& n : rest[q])
      expect(broken, n.id != gone[0] && n.id != gone[1], "removed entries are not found");
  store.remove(ids);
  expect(broken, store.size() == 0 && store.search(queries, 3)[2].empty(), "everything can be removed");
  const auto again = store.add(ConstView(keys).row_range(0, 1), std::span(labels).first(1), std::span(texts).first(1));
  expect(broken, std::find(ids.begin(), ids.end(), again.at(0)) == ids.end(), "ids are never given twice");
  return broken;
}

}  // namespace knnbert::inline v0_1::testing
