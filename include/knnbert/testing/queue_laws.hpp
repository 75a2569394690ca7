#pragma once
#include <limits>

#include "knnbert/queue/concept.hpp"
#include "knnbert/testing/laws.hpp"
#include "knnbert/testing/memory_archive.hpp"

namespace knnbert::inline v0_1::testing {

namespace detail {

template <Queue Q>
void check_contrast(BrokenLaws& broken, const Q& queue, std::span<const label_t> labels) {
  const ContrastOptions options{.temperature = 0.5f, .most_similar = 3, .least_similar = 1};
  const Rng rng(1, Stream::positives);
  Matrix queries = random_rows(std::ssize(labels), queue.width(), 21);
  queue.metric().prepare(queries);
  Matrix d(queries.rows(), queries.cols()), again = d;
  const ContrastReport report = queue.contrast(queries, labels, options, rng, d);
  const ContrastReport second = queue.contrast(queries, labels, options, rng, again);
  expect(broken, report.loss == second.loss && same_bits(d, again), "contrast is pure");
  expect(broken, report.anchors == std::ssize(labels), "contrast counts the anchors");
  expect(broken, report.valid_anchors == queue.count_valid(labels), "count_valid agrees with contrast");
  expect(broken, report.valid_anchors > 0 && report.loss > 0,
         "contrast finds anchors in a full queue and a positive loss");
  Matrix ignored(queries.rows(), queries.cols());
  const double error =
      gradient_error(queries, d, [&] { return queue.contrast(queries, labels, options, rng, ignored).loss; });
  expect(broken, error < 2e-2, "contrast agrees with central differences (error {})", error);
  queue.contrast(queries, labels, options, rng, again);
  for (index_t i = 0; i < again.rows(); ++i)
    for (float& x : again.row(i)) x *= 0.5f;
  expect(broken, largest_difference(again, d) < 1e-5, "contrast adds to d_queries");
}

template <Queue Q>
void check_archive(BrokenLaws& broken, Q& queue) {
  MemoryArchive first, second;
  queue.archive(first);
  const Matrix extra = random_rows(3, queue.width(), 22);
  const std::vector<label_t> labels{0, 1, 0};
  Q other = queue;
  other.clear();
  other.push(extra, labels);
  first.rewind();
  other.archive(first);
  queue.push(extra, labels);
  other.push(extra, labels);
  MemoryArchive left, right;
  queue.archive(left);
  other.archive(right);
  expect(broken, left == right, "a restored queue continues as the saved one");
}

}  // namespace detail

/// The laws of Queue. make() returns an empty queue of at least 8 slots that accepts the labels 0 and 1.
template <class Make>
BrokenLaws queue_laws(Make&& make) {
  BrokenLaws broken;
  auto queue = make();
  const index_t width = queue.width(), capacity = queue.capacity();
  const std::vector<label_t> anchors{0, 1, 0, 1, 1};
  Matrix queries = random_rows(5, width, 20), d(5, width);
  expect(broken, queue.size() == 0, "a new queue is empty");
  const auto none = queue.contrast(queries, anchors, ContrastOptions{}, Rng(0, Stream::positives), d);
  expect(broken, !none.present() && largest_difference(d, Matrix(5, width)) == 0, "an empty queue has no contrast");

  Matrix keys = random_rows(2 * capacity + 1, width, 23);
  queue.metric().prepare(keys);
  std::vector<label_t> labels;
  for (index_t i = 0; i < keys.rows(); ++i) labels.push_back(static_cast<label_t>(i % 2));
  auto whole = make();
  whole.push(keys, labels);
  for (index_t i = 0; i < keys.rows(); ++i) {
    queue.push(View(keys).row_range(i, 1), std::span(labels).subspan(static_cast<std::size_t>(i), 1));
    expect(broken, queue.size() <= capacity, "size never exceeds capacity");
  }
  MemoryArchive pieces, batch;
  queue.archive(pieces);
  whole.archive(batch);
  expect(broken, pieces == batch, "one push of many keys equals many pushes of one");
  expect(broken, std::ssize(queue.labels()) == queue.size(), "there are as many labels as keys");

  MemoryArchive before, after;
  queue.archive(before);
  Matrix bad = random_rows(2, width, 24);
  bad(1, 0) = std::numeric_limits<float>::quiet_NaN();
  bool refused = false;
  try {
    queue.push(bad, std::vector<label_t>{0, 1});
  } catch (const Error&) { refused = true; }
  queue.archive(after);
  expect(broken, refused && before == after, "non-finite keys are refused and change nothing");
  detail::check_contrast(broken, queue, anchors);
  detail::check_archive(broken, queue);
  queue.clear();
  expect(broken, queue.size() == 0, "clear empties the queue");
  return broken;
}

}  // namespace knnbert::inline v0_1::testing
