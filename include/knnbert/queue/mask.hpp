#pragma once
#include "knnbert/queue/options.hpp"

/// Which keys may be positives and which are negatives of an anchor, from the two labels alone.
namespace knnbert::inline v0_1 {

/// Positive: the same class. Negative: any other.
struct SameLabel {
  bool positive(label_t anchor, label_t key) const { return anchor == key; }
  bool negative(label_t anchor, label_t key) const { return anchor != key; }
};

/// For labels that encode cluster * classes + class.
struct ClusterMask {
  label_t classes = 1;
  ClusterRule rule = ClusterRule::conjunction;

  bool positive(label_t anchor, label_t key) const {
    return rule == ClusterRule::conjunction ? anchor == key : same_class(anchor, key) == same_cluster(anchor, key);
  }
  bool negative(label_t anchor, label_t key) const {
    return rule == ClusterRule::conjunction ? !same_class(anchor, key)
                                            : same_class(anchor, key) != same_cluster(anchor, key);
  }

 private:
  bool same_class(label_t a, label_t b) const { return a % classes == b % classes; }
  bool same_cluster(label_t a, label_t b) const { return a / classes == b / classes; }
};

}  // namespace knnbert::inline v0_1
