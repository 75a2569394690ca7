#pragma once
#include <cmath>
#include <optional>

#include "knnbert/core/precision.hpp"
#include "knnbert/queue/options.hpp"

namespace knnbert::inline v0_1 {

/// The defaults are those of KNN-BERT. Its variants are other values:
///   memory bank       .momentum = 1, .positives = 0, .choice = {.kind = QueueKind::memory_bank}
///   random positives  .choice = {.positives = PositiveRule::random}
///   MoCo              .positives = 1, .choice = {.positives = PositiveRule::own_key}
///   MoCo over a bank  the same and .momentum = 0, .enqueue = false
///   ClusterMoCo       .choice = {.kind = QueueKind::clustered}
///   released code     .pooled_warm_up = true, .random_fill = true, .drop_batch = true, and what ContrastOptions has
struct QueueContrastiveOptions {
  float weight = 0.1f;       ///< lambda
  float momentum = 0.999f;   ///< m of the key encoder; 1 freezes it
  index_t capacity = 32000;  ///< K
  index_t positives = 16;    ///< R, encoded for every query
  bool key_dropout = true;
  bool warm_up = true;                          ///< fill the queue with one key for every training example first
  bool pooled_warm_up = false;                  ///< with embeddings as they are, neither projected nor prepared
  bool random_fill = false;                     ///< fill it with noise of random classes before that
  bool drop_batch = false;                      ///< no contrast in a step of which any anchor lacks a partner
  bool enqueue = true;                          ///< what is encoded for queries enters the queue
  QueueChoice choice = {};                      ///< where the stack's queue is a SelectedQueue
  index_t clusters = 1000;                      ///< of texts by k-means of the first embeddings, for a clustered queue
  std::optional<Precision> key_precision = {};  ///< of the key encoder, which has no gradient; none: the model's
  ContrastOptions contrast = {};

  /// Errors: OptionError.
  void validate() const {
    if (!(momentum >= 0 && momentum <= 1))
      raise<OptionError>("QueueContrastive::momentum: {} given, 0 to 1 expected", momentum);
    if (!(weight >= 0) || !std::isfinite(weight))
      raise<OptionError>("QueueContrastive::weight: {} given, at least 0 expected", weight);
    constexpr index_t most_keys = index_t{1} << 32, most_positives = index_t{1} << 20;
    if (capacity < 1 || capacity > most_keys)
      raise<OptionError>("QueueContrastive::capacity: {} given, 1 to {} expected", capacity, most_keys);
    if (positives < 0 || positives > most_positives)
      raise<OptionError>("QueueContrastive::positives: {} given, 0 to {} expected", positives, most_positives);
    if (choice.positives == PositiveRule::own_key && positives != 1)
      raise<OptionError>("QueueContrastive::positives: {} given, 1 expected: an anchor has one key of its own",
                         positives);
    if (clusters < 1) raise<OptionError>("QueueContrastive::clusters: {} given, at least 1 expected", clusters);
    choice.validate();
    contrast.validate();
  }

  template <class Sink>
  void identity(Sink&& sink) const {
    const auto& c = contrast;
    sink("weight", weight), sink("momentum", momentum), sink("capacity", capacity), sink("positives", positives);
    sink("key_dropout", key_dropout), sink("warm_up", warm_up), sink("enqueue", enqueue);
    sink("queue", name_of(choice.kind)), sink("rule", name_of(choice.positives));
    sink("shared_ranks", choice.shared_ranks), sink("interleaved_negatives", choice.interleaved_negatives);
    sink("cluster_rule", choice.cluster_rule == ClusterRule::xnor ? "xnor" : "conjunction");
    if (choice.kind == QueueKind::clustered) sink("clusters", clusters);
    if (pooled_warm_up) sink("warm_up_keys", "pooled");
    if (random_fill) sink("queue_init", "random");
    if (drop_batch) sink("invalid_anchor", "drop_batch");
    if (key_precision) sink("key_precision", name_of(*key_precision));
    sink("temperature", c.temperature), sink("most_similar", c.most_similar), sink("least_similar", c.least_similar);
    sink("reduction", c.reduction == Reduction::pair_mean ? "pair_mean" : "anchor_mean");
    sink("lists", c.lists == Lists::batch_min ? "batch_min" : "per_query");
    sink("overlap", c.overlap == Overlap::duplicate ? "duplicate" : "unique");
  }
};

}  // namespace knnbert::inline v0_1
