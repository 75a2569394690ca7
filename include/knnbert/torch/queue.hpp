#pragma once
#include <map>

#include "knnbert/metric/cosine.hpp"
#include "knnbert/queue/key_table.hpp"
#include "knnbert/torch/contrast.hpp"
#include "knnbert/torch/metric.hpp"

namespace knnbert::inline v0_1 {

/// FifoQueue with its keys on a device: queries come from main memory and their gradient goes back there, one copy each
/// way. Ranks negatives never, so it knows Lists::per_query only. Of positives with the same score at the edge of a
/// selection, which one is taken is the device's choice. Archives are FifoQueue's.  Thread safety: const members may
/// run concurrently.
template <Metric M = Cosine>
class TorchQueue {
  static_assert(InnerProduct<M>, "TorchQueue computes inner products: a metric like Cosine or Dot expected");

 public:
  using metric_type = M;
  using positives_type = MostAndLeastSimilar;

  index_t scores_a_chunk = index_t{1} << 22;  ///< similarities of a batch that are held at a time, at least one a query

  /// Errors: OptionError, DeviceMemoryError.
  TorchQueue(index_t capacity, index_t width, M metric = {}, const std::string& device = "cpu")
      : metric_(std::move(metric)), device_(torch_device(device)) {
    if (capacity < 1 || width < 1)
      raise<OptionError>("TorchQueue: capacity {} and width {} given, at least 1 expected", capacity, width);
    detail::guarded("TorchQueue", [&] {
      const auto options = at::TensorOptions().device(device_);
      keys_ = at::zeros({capacity, width}, options.dtype(at::kFloat));
      device_labels_ = at::zeros({capacity}, options.dtype(at::kLong));
    });
    labels_.reserve(static_cast<std::size_t>(capacity));
  }
  TorchQueue(const TorchQueue& other)
      : scores_a_chunk(other.scores_a_chunk), metric_(other.metric_), device_(other.device_), labels_(other.labels_),
        counts_(other.counts_), next_(other.next_) {
    detail::guarded("TorchQueue", [&] { keys_ = other.keys_.clone(), device_labels_ = other.device_labels_.clone(); });
  }
  TorchQueue(TorchQueue&&) = default;
  TorchQueue& operator=(TorchQueue other) noexcept {
    std::swap(scores_a_chunk, other.scores_a_chunk), std::swap(metric_, other.metric_),
        std::swap(device_, other.device_), std::swap(keys_, other.keys_),
        std::swap(device_labels_, other.device_labels_);
    std::swap(labels_, other.labels_), std::swap(counts_, other.counts_), std::swap(next_, other.next_);
    return *this;
  }

  index_t size() const { return std::ssize(labels_); }
  index_t capacity() const { return keys_.size(0); }
  index_t width() const { return keys_.size(1); }
  at::Device device() const { return device_; }
  const M& metric() const { return metric_; }
  std::span<const label_t> labels() const { return labels_; }  // [n]
  /// A copy in main memory, [n, D].
  Matrix keys() const {
    Matrix copy(size(), width());
    detail::guarded("TorchQueue::keys", [&] { detail::to_host(keys_.narrow(0, 0, size()), copy); });
    return copy;
  }

  /// Takes prepared keys; of more than fit, the last ones remain.  Errors: ShapeError, NonFiniteError,
  /// DeviceMemoryError; then nothing changed.
  void push(ConstView keys,                     // [n, D]
            std::span<const label_t> labels) {  // [n]
    detail::require_keys("TorchQueue::push", keys, labels, width());
    const index_t skipped = std::max<index_t>(0, keys.rows() - capacity()), count = keys.rows() - skipped;
    const auto own = labels.subspan(static_cast<std::size_t>(skipped));
    detail::guarded("TorchQueue::push", [&] {
      const c10::NoGradGuard no_graph;
      const std::vector<std::int64_t> wide(own.begin(), own.end());
      const at::Tensor rows = detail::to_device(keys.row_range(skipped, count), device_),
                       numbers = detail::to_device(std::span<const std::int64_t>(wide), device_);
      index_t slot = (next_ + skipped) % capacity();
      for (index_t done = 0; done < count; slot = 0) {
        const index_t part = std::min(count - done, capacity() - slot);
        keys_.narrow(0, slot, part).copy_(rows.narrow(0, done, part));
        device_labels_.narrow(0, slot, part).copy_(numbers.narrow(0, done, part));
        done += part;
      }
    });
    for (index_t i = 0; i < count; ++i) note((next_ + skipped + i) % capacity(), own[static_cast<std::size_t>(i)]);
    next_ = (next_ + keys.rows()) % capacity();
  }

  void clear() { labels_.clear(), counts_.clear(), next_ = 0; }

  /// Anchors of these labels that would find a positive and a negative.
  index_t count_valid(std::span<const label_t> anchors, const ContrastOptions& options = {},
                      const MostAndLeastSimilar& positives = {}) const {
    return census(anchors, options, positives).valid_anchors;
  }
  /// See KeyTable::for_batch.
  ContrastOptions for_batch(std::span<const label_t> anchors, ContrastOptions options,
                            const MostAndLeastSimilar& positives = {}) const {
    const Census c = census(anchors, options, positives);
    options.valid_anchors = c.valid_anchors, options.positive_pairs = c.positive_pairs;
    options.fewest_candidates = c.fewest_candidates, options.fewest_negatives = c.fewest_negatives;
    return options;
  }

  /// The contrastive loss of prepared queries, see QueueContrast; adds its gradient to d_queries.
  /// Errors: ShapeError, OptionError, DeviceMemoryError.  Cost: 4 B n D flops, O(B (chunk + positives)) memory.
  ContrastReport contrast(ConstView queries,                 // [B, D]
                          std::span<const label_t> anchors,  // [B]
                          const ContrastOptions& options, const Rng&,
                          View d_queries,  // [B, D]
                          const MostAndLeastSimilar& positives = {}, const Workers& = Workers()) const {
    check(queries, anchors, options, d_queries);
    const Census c = census(anchors, options, positives);
    ContrastReport report{
        .anchors = queries.rows(), .valid_anchors = c.valid_anchors, .positive_pairs = c.positive_pairs};
    for (index_t i = 0; i < queries.rows(); ++i) {
      const auto row = queries.row(i);
      report.zero_anchors += std::all_of(row.begin(), row.end(), [](float x) { return x == 0.0f; });
    }
    if (c.valid_anchors > 0)
      detail::guarded("TorchQueue::contrast", [&] { run(queries, anchors, options, c, d_queries, report); });
    return report;
  }

  /// Errors: FormatError; then nothing changed.
  template <class Archive>
  void archive(Archive& ar) {
    std::int64_t next = next_;
    ar("next", next);
    const Matrix rows = keys();
    std::vector<float> keys;
    for (index_t i = 0; i < rows.rows(); ++i) keys.insert(keys.end(), rows.row(i).begin(), rows.row(i).end());
    std::vector<std::int64_t> labels(labels_.begin(), labels_.end());
    ar("keys", keys), ar("labels", labels);
    detail::require_archived(keys, labels, capacity(), width());
    if (next < 0 || next >= capacity() || (std::ssize(labels) != capacity() && next != std::ssize(labels)))
      raise<FormatError>("TorchQueue::archive: next slot {} with {} keys of {}", next, labels.size(), capacity());
    const std::vector<label_t> narrow(labels.begin(), labels.end());
    clear();
    push(ConstView(keys.data(), std::ssize(narrow), width()), narrow);
    next_ = next;
  }

 private:
  static constexpr label_t nobody = -1;

  void check(ConstView queries, std::span<const label_t> anchors, const ContrastOptions& options,
             View d_queries) const {
    options.validate();
    if (options.lists != Lists::per_query)
      raise<OptionError>(
          "TorchQueue::contrast: Lists::batch_min given, per_query expected: ranking all negatives needs a queue in "
          "main memory, such as FifoQueue");
    if (queries.rows() != std::ssize(anchors))
      raise<ShapeError>("TorchQueue::contrast: {} queries but {} labels", queries.rows(), anchors.size());
    require_shape("TorchQueue::contrast: queries", queries, queries.rows(), width());
    require_shape("TorchQueue::contrast: d_queries", d_queries, queries.rows(), width());
  }

  void note(index_t slot, label_t label) {
    // a push of more than fit starts anywhere
    if (slot >= size()) labels_.resize(static_cast<std::size_t>(slot + 1), nobody);
    label_t& there = labels_[static_cast<std::size_t>(slot)];
    if (const auto old = counts_.find(there); old != counts_.end() && --old->second == 0) counts_.erase(old);
    there = label;
    ++counts_[label];
  }

  Census census(std::span<const label_t> anchors, const ContrastOptions& options,
                const MostAndLeastSimilar& positives) const {
    Census census;
    const auto count = [&](label_t label) {
      const auto found = counts_.find(label);
      const index_t candidates = found == counts_.end() ? 0 : found->second;
      return Census::Anchor{.candidates = candidates, .negatives = size() - candidates};
    };
    take_census(anchors, options, positives, count, census);
    return census;
  }

  void run(ConstView queries, std::span<const label_t> labels, const ContrastOptions& options, const Census& c,
           View d_queries, ContrastReport& report) const {
    const c10::NoGradGuard no_graph;
    const index_t batch = queries.rows();
    const auto size_of = [&](auto member) {
      index_t most = 0;
      for (const auto& a : c.anchors) most = std::max(most, a.positives > 0 ? member(a) : 0);
      return most;
    };
    const auto most_of = [&](const Census::Anchor& a) { return std::min(a.candidates, options.most_similar); };
    const auto least_of = [&](const Census::Anchor& a) {
      return std::min(options.overlap == Overlap::unique ? a.candidates - most_of(a) : a.candidates,
                      options.least_similar);
    };
    detail::TorchContrast contrast(detail::to_device(queries, device_), anchors(labels, options, c, most_of, least_of),
                                   options.temperature, size_of(most_of), size_of(least_of));
    const index_t chunk = std::max<index_t>(1, scores_a_chunk / batch);
    for (index_t first = 0; first < size(); first += chunk) {
      const index_t count = std::min(chunk, size() - first);
      contrast.scan(keys_.narrow(0, first, count), device_labels_.narrow(0, first, count), first);
    }
    const auto result = contrast.finish(keys_);
    Matrix all(batch, width() + 3);
    detail::to_host(
        at::cat({result.d_queries, at::stack({result.loss, result.mean_positive, result.sum_negative}, 1)}, 1), all);
    double loss = 0;
    const auto valid = static_cast<double>(c.valid_anchors);
    for (index_t i = 0; i < batch; ++i) {
      if (!c.valid(i)) continue;
      for (index_t d = 0; d < width(); ++d) d_queries(i, d) += all(i, d);
      loss += all(i, width());
      report.mean_positive += all(i, width() + 1) / valid;
      report.mean_negative +=
          all(i, width() + 2) / static_cast<double>(c.anchors[static_cast<std::size_t>(i)].negatives) / valid;
    }
    report.loss = static_cast<float>(loss);
  }

  /// What the labels tell, on the device in one copy.
  template <class Most, class Least>
  detail::TorchAnchors anchors(std::span<const label_t> labels, const ContrastOptions& options, const Census& c,
                               const Most& most, const Least& least) const {
    const auto batch = std::ssize(labels);
    const at::Tensor host = at::empty({4, batch}, at::kDouble);
    auto* at = host.data_ptr<double>();
    for (index_t i = 0; i < batch; ++i) {
      const auto& a = c.anchors[static_cast<std::size_t>(i)];
      at[i] = labels[static_cast<std::size_t>(i)];
      at[batch + i] = c.valid(i) ? static_cast<double>(most(a)) : 0;
      at[2 * batch + i] = c.valid(i) ? static_cast<double>(least(a)) : 0;
      at[3 * batch + i] = c.valid(i) ? c.weight(i, options) : 0;
    }
    const at::Tensor there = host.to(device_, at::kDouble, true);
    const auto whole = [&](index_t row) { return there.select(0, row).to(at::kLong); };
    return {whole(0), whole(1), whole(2), there.select(0, 3).to(at::kFloat)};
  }

  M metric_;
  at::Device device_;
  at::Tensor keys_, device_labels_;    // [capacity, D], int64 [capacity]
  std::vector<label_t> labels_;        // [n]
  std::map<label_t, index_t> counts_;  // keys of each label
  index_t next_ = 0;
};

}  // namespace knnbert::inline v0_1
