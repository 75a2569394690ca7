#pragma once
#include "knnbert/queue/fifo.hpp"

namespace knnbert::inline v0_1 {

/// A ring whose keys belong to a class and to a cluster of texts (ClusterMoCo): positives share both, negatives are of
/// another class. Labels, of keys and of anchors, encode cluster * classes + class.
template <Metric M = Cosine, class Arch = DefaultArch>
class ClusteredQueue : public FifoQueue<M, Arch, ClusterMask, ClusterPositives> {
  using Base = FifoQueue<M, Arch, ClusterMask, ClusterPositives>;

 public:
  /// Errors: OptionError.
  ClusteredQueue(index_t capacity, index_t width, index_t classes, ClusterRule rule = ClusterRule::conjunction,
                 M metric = {})
      : Base(capacity, width, std::move(metric), ClusterMask{checked(classes), rule}) {}

  index_t classes() const { return this->mask().classes; }

  /// The label that encodes a class and a cluster.  Errors: ShapeError, if either is out of range.
  label_t encode(label_t label, index_t cluster) const {
    if (label < 0 || label >= classes() || cluster < 0 ||
        cluster > (std::numeric_limits<label_t>::max() - label) / classes())
      raise<ShapeError>("ClusteredQueue::encode: class {} of {} and cluster {}", label, classes(), cluster);
    return static_cast<label_t>(cluster * classes() + label);
  }
  label_t label_of(index_t slot) const {
    return static_cast<label_t>(this->labels()[static_cast<std::size_t>(slot)] % classes());
  }
  index_t cluster_of(index_t slot) const { return this->labels()[static_cast<std::size_t>(slot)] / classes(); }

 private:
  static label_t checked(index_t classes) {
    if (classes < 1 || classes > std::numeric_limits<label_t>::max())
      raise<OptionError>("ClusteredQueue: {} classes given, at least 1 expected", classes);
    return static_cast<label_t>(classes);
  }
};

}  // namespace knnbert::inline v0_1
