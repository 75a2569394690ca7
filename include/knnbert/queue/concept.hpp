#pragma once
#include <string>

#include "knnbert/core/parallel.hpp"
#include "knnbert/metric/concept.hpp"
#include "knnbert/queue/positives.hpp"

namespace knnbert::inline v0_1 {

/// A bounded set of labeled keys that owns the contrastive loss over them, so that a queue on a device stays there.
/// push(keys [n, D], labels [n]) takes keys that the metric has prepared, validates before it changes anything and
/// refuses non-finite keys. size() <= capacity(); labels() has size() entries; empty is legal.
/// contrast(queries [B, D], labels [B], options, rng, d_queries [B, D]) is pure: it adds the gradient to d_queries,
/// value and gradient agree by central differences, and with no valid anchor it reports none and adds nothing.
/// for_batch(labels, options) completes the options for parts of a batch with these labels, so that parts sum to the
/// whole. With a type positives_type its contrast() takes two more arguments, one of these and the workers to use.
/// Check yours with testing/queue_laws.hpp.
template <class Q>
concept Queue = requires(Q& queue, const Q& constant, ConstView keys, std::span<const label_t> labels,
                         const ContrastOptions& options, const Rng& rng, View d_queries) {
  typename Q::metric_type;
  queue.push(keys, labels);
  queue.clear();
  { constant.size() } -> std::convertible_to<index_t>;
  { constant.capacity() } -> std::convertible_to<index_t>;
  { constant.width() } -> std::convertible_to<index_t>;
  { constant.labels() } -> std::convertible_to<std::span<const label_t>>;
  { constant.metric() } -> std::convertible_to<const typename Q::metric_type&>;
  { constant.count_valid(labels) } -> std::convertible_to<index_t>;
  { constant.for_batch(labels, options) } -> std::convertible_to<ContrastOptions>;
  { constant.contrast(keys, labels, options, rng, d_queries) } -> std::same_as<ContrastReport>;
};

namespace detail {

/// Has the calls that archive() makes of a file's.
struct QueueArchive {
  void operator()(const std::string& name, std::int64_t& value);
  void operator()(const std::string& name, std::vector<std::int64_t>& values);
  void operator()(const std::string& name, std::vector<float>& values);
};

/// Made of (capacity, width, metric), with the number of classes before the metric or a device behind it.
template <class Q, class Metric>
concept MadeForTraining = std::constructible_from<Q, index_t, index_t, Metric> ||
    std::constructible_from<Q, index_t, index_t, index_t, Metric> ||
    std::constructible_from<Q, index_t, index_t, Metric, std::string>;

template <class Q>
constexpr bool has_gradient = true;
template <class Q>
  requires requires { typename Q::metric_type; }
constexpr bool has_gradient<Q> = DifferentiableMetric<typename Q::metric_type>;

}  // namespace detail

/// A queue that a training term makes, of (capacity, width, metric); where it is constructed from (capacity, width,
/// classes, metric), the model's classes lie between, where from (capacity, width, metric, device), the name of the
/// model's device follows. The member template archive(ar) names the whole state to ar(name, vector or integer), as
/// io/archive.hpp has it, for saving and restoring alike.
template <class Q>
concept TrainingQueue = Queue<Q> && detail::MadeForTraining<Q, typename Q::metric_type> &&
    requires(Q& queue, detail::QueueArchive& ar) {
  queue.archive(ar);
};

}  // namespace knnbert::inline v0_1
