#pragma once
#include "knnbert/core/type_name.hpp"
#include "knnbert/metric/concept.hpp"
#include "knnbert/testing/laws.hpp"

namespace knnbert::inline v0_1::testing {

namespace detail {

/// sum over all pairs of score * weight, in double.
template <Metric M>
double weighted_score(const M& metric, ConstView queries, ConstView keys, ConstView weights) {
  Matrix scores(queries.rows(), keys.rows());
  metric.score(queries, keys, scores);
  double total = 0;
  for (index_t i = 0; i < queries.rows(); ++i)
    for (index_t j = 0; j < keys.rows(); ++j) total += static_cast<double>(scores(i, j)) * weights(i, j);
  return total;
}

template <DifferentiableMetric M>
void check_metric_gradients(BrokenLaws& broken, const M& metric, index_t width, double tolerance) {
  Matrix raw = random_rows(3, width, 5), prepared = raw, keys = random_rows(6, width, 6);
  const Matrix weights = random_rows(3, 6, 7);
  metric.prepare(prepared);
  metric.prepare(keys);
  Matrix scores(3, 6), d_prepared(3, width), d_raw(3, width), twice(3, width);
  metric.score(prepared, keys, scores);
  metric.backward(prepared, keys, scores, weights, d_prepared);
  copy(d_prepared, twice);
  metric.backward(prepared, keys, scores, weights, twice);
  for (index_t i = 0; i < 3; ++i)
    for (float& x : twice.row(i)) x *= 0.5f;
  expect(broken, largest_difference(twice, d_prepared) < 1e-4, "backward adds to d_queries");
  const double error =
      gradient_error(prepared, d_prepared, [&] { return weighted_score(metric, prepared, keys, weights); });
  expect(broken, error < tolerance, "backward agrees with central differences of score (error {})", error);
  d_raw.fill(1e9f);  // must be overwritten
  metric.prepare_backward(raw, prepared, d_prepared, d_raw);
  const double raw_error = gradient_error(raw, d_raw, [&] {
    Matrix again = raw;
    metric.prepare(again);
    return weighted_score(metric, again, keys, weights);
  });
  expect(broken, raw_error < tolerance, "prepare_backward agrees with central differences through prepare (error {})",
         raw_error);
}

}  // namespace detail

/// The laws of Metric and, where the metric has them, of its gradients, on random rows of the given width.
template <Metric M>
BrokenLaws metric_laws(const M& metric = {}, index_t width = 19, double tolerance = 1e-2) {
  BrokenLaws broken;
  Matrix queries = random_rows(5, width, 1), keys = random_rows(33, width, 2), scores(5, 33), again(5, 33);
  metric.prepare(queries);
  metric.prepare(keys);
  Matrix twice = keys;
  metric.prepare(twice);
  expect(broken, largest_difference(twice, keys) < 1e-5, "prepare is idempotent");
  scores.fill(-3), again.fill(5);
  metric.score(queries, keys, scores);
  metric.score(queries, keys, again);
  expect(broken, same_bits(scores, again), "score overwrites every element and is deterministic");
  bool alone = true, closest = true;
  for (index_t i = 0; i < 5; ++i)
    for (index_t j = 0; j < 33; ++j) {
      Matrix one(1, 1);
      metric.score(View(queries).row_range(i, 1), View(keys).row_range(j, 1), one);
      alone = alone && same_bits(one, View(scores).row_range(i, 1).col_range(j, 1));
    }
  expect(broken, alone, "a score depends on its query and its key only");
  Matrix self(33, 33);
  metric.score(keys, keys, self);
  for (index_t i = 0; i < 33; ++i)
    for (index_t j = 0; j < 33; ++j) closest = closest && self(i, j) <= self(i, i) + 1e-4f;
  // The inner product of raw rows has no such ceiling.
  if (policy_name(metric) != "dot")
    expect(broken, closest, "larger is closer: nothing is closer to a row than the row itself");
  if constexpr (DifferentiableMetric<M>) detail::check_metric_gradients(broken, metric, width, tolerance);
  return broken;
}

}  // namespace knnbert::inline v0_1::testing
