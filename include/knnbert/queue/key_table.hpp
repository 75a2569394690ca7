#pragma once
#include "knnbert/core/lease.hpp"
#include "knnbert/metric/finite.hpp"
#include "knnbert/queue/concept.hpp"
#include "knnbert/queue/contrast.hpp"
#include "knnbert/queue/mask.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// Throws unless the keys may enter a queue of this width.
inline void require_keys(std::string_view where, ConstView keys, std::span<const label_t> labels, index_t width) {
  if (keys.rows() != std::ssize(labels))
    raise<ShapeError>("{}: {} keys but {} labels", where, keys.rows(), labels.size());
  require_shape(where, keys, keys.rows(), width);
  for (const label_t label : labels)
    if (label < 0) raise<ShapeError>("{}: label {} given, labels count from 0", where, label);
  require_finite(where, keys);
}

/// Throws FormatError unless they can be the content of a queue.
inline void require_archived(std::span<const float> keys, std::span<const std::int64_t> labels, index_t capacity,
                             index_t width) {
  if (std::ssize(labels) > capacity || std::ssize(keys) != std::ssize(labels) * width)
    raise<FormatError>("queue archive: {} numbers and {} labels, at most {} keys of width {} expected", keys.size(),
                       labels.size(), capacity, width);
  for (const auto label : labels)
    if (label < 0 || label > std::numeric_limits<label_t>::max())
      raise<FormatError>("queue archive: label {} out of range", label);
  require_finite("queue archive", ConstView(keys.data(), std::ssize(labels), width));
}

}  // namespace detail

/// What all queues in main memory share: keys with labels in slots 0..size-1, and the contrast over them. A derived
/// queue decides which slot a new key takes. Ties between keys are broken by slot. Thread safety: const members may run
/// concurrently.
template <Metric M, class Arch, class Mask, PositivePolicy DefaultPositives>
class KeyTable {
 public:
  using metric_type = M;
  using positives_type = DefaultPositives;  ///< what contrast() uses unless told otherwise

  index_t size() const { return size_; }
  index_t capacity() const { return keys_.rows(); }
  index_t width() const { return keys_.cols(); }
  const M& metric() const { return metric_; }
  const Mask& mask() const { return mask_; }
  ConstView keys() const { return ConstView(keys_).row_range(0, size_); }                                // [n, D]
  std::span<const float> key(index_t slot) const { return keys_.row(slot); }                             // [D]
  std::span<const label_t> labels() const { return {labels_.data(), static_cast<std::size_t>(size_)}; }  // [n]

  /// Anchors of these labels that would find a positive and a negative.
  template <PositivePolicy P = DefaultPositives>
  index_t count_valid(std::span<const label_t> anchors, const ContrastOptions& options = {},
                      const P& positives = {}) const {
    return census(anchors, options, positives)->census.valid_anchors;
  }
  /// (anchor, positive) pairs that they would form.
  template <PositivePolicy P = DefaultPositives>
  index_t count_pairs(std::span<const label_t> anchors, const ContrastOptions& options = {},
                      const P& positives = {}) const {
    return census(anchors, options, positives)->census.positive_pairs;
  }

  /// The options with what a part of a batch needs to know of the whole, whose labels these are: then the parts' losses
  /// and gradients are exactly shares of the whole's. The caller sets first_anchor of each part.
  template <PositivePolicy P = DefaultPositives>
  ContrastOptions for_batch(std::span<const label_t> anchors, ContrastOptions options, const P& positives = {}) const {
    const auto scratch = census(anchors, options, positives);
    options.valid_anchors = scratch->census.valid_anchors;
    options.positive_pairs = scratch->census.positive_pairs;
    options.fewest_candidates = scratch->census.fewest_candidates;
    options.fewest_negatives = scratch->census.fewest_negatives;
    return options;
  }

  /// The contrastive loss of prepared queries, see QueueContrast; adds its gradient to d_queries.
  /// Errors: ShapeError, OptionError.  Cost: 4 B n D flops, O(n) memory.
  template <PositivePolicy P = DefaultPositives>
    requires DifferentiableMetric<M> ContrastReport contrast(ConstView queries,                 // [B, D]
                                                             std::span<const label_t> anchors,  // [B]
                                                             const ContrastOptions& options, const Rng& rng,
                                                             View d_queries,  // [B, D]
                                                             const P& positives = {},
                                                             const Workers& workers = Workers())
  const {
    const auto scratch = scratch_->lend();
    QueueContrast<Arch, M, Mask, P> contrast(metric_, mask_, {keys(), labels()}, options, positives, *scratch);
    return contrast({queries, anchors}, rng, d_queries, workers);
  }

 protected:
  KeyTable(std::string_view type, index_t capacity, index_t width, M metric, Mask mask)
      : metric_(std::move(metric)), mask_(std::move(mask)) {
    if (capacity < 1 || width < 1)
      raise<OptionError>("{}: capacity {} and width {} given, at least 1 expected", type, capacity, width);
    keys_.resize(capacity, width);
    labels_.resize(static_cast<std::size_t>(capacity));
  }

  /// Throws unless the keys may enter the queue; changes nothing.
  void require_keys(std::string_view where, ConstView keys, std::span<const label_t> labels) const {
    detail::require_keys(where, keys, labels, width());
  }

  void write(index_t slot, std::span<const float> key, label_t label) {
    std::copy(key.begin(), key.end(), keys_.row(slot).begin());
    labels_[static_cast<std::size_t>(slot)] = label;
    size_ = std::max(size_, slot + 1);
  }
  void forget() { size_ = 0; }

  /// Keys and labels to and from an archive.  Errors: FormatError, before anything changes, if what came back cannot be
  /// the content of a queue of this capacity and width; accept() may refuse labels.
  template <class Archive, class Accept>
  void archive_keys(Archive& ar, Accept&& accept) {
    std::vector<float> keys;
    std::vector<std::int64_t> labels(labels_.begin(), labels_.begin() + size_);
    keys.reserve(static_cast<std::size_t>(size_ * width()));
    for (index_t i = 0; i < size_; ++i) keys.insert(keys.end(), key(i).begin(), key(i).end());
    ar("keys", keys);
    ar("labels", labels);
    detail::require_archived(keys, labels, capacity(), width());
    accept(std::span<const std::int64_t>(labels));
    forget();
    for (std::size_t i = 0; i < labels.size(); ++i)
      write(static_cast<index_t>(i),
            {keys.data() + i * static_cast<std::size_t>(width()), static_cast<std::size_t>(width())},
            static_cast<label_t>(labels[i]));
  }

 private:
  /// Scratch with the census of these anchors in it.
  template <class P>
  auto census(std::span<const label_t> anchors, const ContrastOptions& options, const P& positives) const {
    auto scratch = scratch_->lend();
    take_census(mask_, labels(), anchors, options, positives, scratch->census);
    return scratch;
  }

  M metric_;
  Mask mask_;
  Matrix keys_;                  // [capacity, D]
  std::vector<label_t> labels_;  // [capacity]
  index_t size_ = 0;
  // copies share it
  std::shared_ptr<LeasePool<ContrastScratch>> scratch_ = std::make_shared<LeasePool<ContrastScratch>>();
};

}  // namespace knnbert::inline v0_1
