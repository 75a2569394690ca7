#pragma once
#include <concepts>
#include <optional>
#include <string_view>

#include "knnbert/core/view.hpp"
#include "knnbert/kernel/dispatch.hpp"

namespace knnbert::inline v0_1 {

/// A similarity between rows. Larger is closer; that is the only polarity in this library.
/// score(queries [B, D], keys [N, D], out [B, N]) overwrites every element of out, and out(i, j) depends on query i and
/// key j only. prepare(rows) may normalize rows in place; preparing twice changes nothing beyond rounding.
/// Both are safe to call concurrently. Files name a metric as policy_name() does, by its member `name` if it has one.
/// Used where it exists: first_unprepared(rows), the first row that prepare would change, -1 if there is none: a
/// datastore's file with such keys is refused. A model's metric is as its default constructor makes it.
/// Check yours with testing/metric_laws.hpp.
template <class M>
concept Metric = std::semiregular<M> &&
    requires(const M& metric, ConstView queries, ConstView keys, View rows, View out) {
  metric.prepare(rows);
  metric.score(queries, keys, out);
};

/// A metric that carries gradients of scores back to queries and from prepared to raw rows. Keys are constants.
/// prepare_backward overwrites d_raw, which may be the same memory as d_prepared; backward adds to d_queries [B, D].
/// Both agree with central differences of prepare and score.
template <class M>
concept DifferentiableMetric = Metric<M> &&
    requires(const M& metric, ConstView raw, ConstView prepared, ConstView d_prepared, View d_raw, ConstView queries,
             ConstView keys, ConstView scores, ConstView d_scores, View d_queries) {
  metric.prepare_backward(raw, prepared, d_prepared, d_raw);
  metric.backward(queries, keys, scores, d_scores, d_queries);
};

/// The score of equal rows, if no rows have a larger one: certificates rest on it. A specialization names exactly one
/// metric, nothing derived from it.
template <class M>
inline constexpr std::optional<float> best_score = std::nullopt;

/// The instruction set whose kernel::scores() of prepared rows is the metric's score, if that is so. A specialization
/// names exactly one metric, nothing derived from it.
template <class M>
struct ProductArch;

/// Metrics that are inner products: they can be searched with keys in bf16.
template <class M>
concept ProductMetric = Metric<M> && requires {
  typename ProductArch<M>::type;
};

/// Those whose instruction set is known when this is compiled: they are searched without writing scores to memory.
template <class M>
concept CompiledProductMetric = ProductMetric<M> && !std::same_as<typename ProductArch<M>::type, kernel::Dispatched>;

/// A score without what rounding put beyond the range of the metric, if it has a member bounded(score).
template <Metric M>
float bounded_score(const M& metric, float score) {
  if constexpr (requires {
                  { metric.bounded(score) } -> std::same_as<float>;
                })
    return metric.bounded(score);
  else return score;
}

namespace detail {

inline void require_scores(std::string_view where, ConstView queries, ConstView keys, ConstView out) {
  require_shape(where, keys, keys.rows(), queries.cols());
  require_shape(where, out, queries.rows(), keys.rows());
}

}  // namespace detail
}  // namespace knnbert::inline v0_1
