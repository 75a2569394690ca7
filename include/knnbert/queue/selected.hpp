#pragma once
#include <variant>

#include "knnbert/queue/class_balanced.hpp"
#include "knnbert/queue/clustered.hpp"
#include "knnbert/queue/memory_bank.hpp"

namespace knnbert::inline v0_1 {

/// Keys that were encoded for the anchors of a call, one each; none where the queue's keys are the positives.
struct OwnKeys {
  ConstView keys{};  // [B, D]
};

/// One of this library's queues and one of its ways to choose positives, named by a QueueChoice: for programs whose
/// user chooses. Labels of keys and anchors are those of the queue that was chosen: of a clustered one, its encode().
template <Metric M = Cosine, class Arch = DefaultArch>
class SelectedQueue {
  using Any =
      std::variant<FifoQueue<M, Arch>, ClassBalancedQueue<M, Arch>, MemoryBank<M, Arch>, ClusteredQueue<M, Arch>>;

 public:
  using metric_type = M;
  using positives_type = OwnKeys;

  /// Errors: OptionError.
  SelectedQueue(index_t capacity, index_t width, index_t classes, M metric = {}, const QueueChoice& choice = {})
      : choice_(checked(choice)), queue_(make(capacity, width, classes, std::move(metric), choice)) {}

  const QueueChoice& choice() const { return choice_; }
  index_t size() const {
    return with([](const auto& q) { return q.size(); });
  }
  index_t capacity() const {
    return with([](const auto& q) { return q.capacity(); });
  }
  index_t width() const {
    return with([](const auto& q) { return q.width(); });
  }
  const M& metric() const {
    return with([](const auto& q) -> const M& { return q.metric(); });
  }
  ConstView keys() const {
    return with([](const auto& q) { return q.keys(); });
  }                                          // [n, D]
  std::span<const label_t> labels() const {  // [n]
    return with([](const auto& q) { return q.labels(); });
  }
  std::span<const float> key(index_t slot) const {  // [D]
    return with([&](const auto& q) { return q.key(slot); });
  }
  /// The queue itself, where its type is known.  Errors: std::bad_variant_access.
  template <class Q>
  const Q& as() const {
    return std::get<Q>(queue_);
  }

  /// See the queue that was chosen.  Errors: ShapeError, NonFiniteError; then nothing changed.
  void push(ConstView keys,                     // [n, D]
            std::span<const label_t> labels) {  // [n]
    std::visit([&](auto& q) { q.push(keys, labels); }, queue_);
  }
  void clear() {
    std::visit([](auto& q) { q.clear(); }, queue_);
  }

  /// Anchors of these labels that would find a positive and a negative.
  index_t count_valid(std::span<const label_t> anchors, const ContrastOptions& options = {}) const {
    return positives({}, [&](const auto& q, const auto& p) { return q.count_valid(anchors, options, p); });
  }
  /// See KeyTable::for_batch.
  ContrastOptions for_batch(std::span<const label_t> anchors, const ContrastOptions& options) const {
    return positives({}, [&](const auto& q, const auto& p) { return q.for_batch(anchors, options, p); });
  }
  /// See KeyTable::contrast.  own: as many keys as queries where the choice is PositiveRule::own_key.
  ContrastReport contrast(ConstView queries,                 // [B, D]
                          std::span<const label_t> anchors,  // [B]
                          const ContrastOptions& options, const Rng& rng,
                          View d_queries,  // [B, D]
                          const OwnKeys& own = {}, const Workers& workers = Workers()) const {
    return positives(own, [&](const auto& q, const auto& p) {
      return q.contrast(queries, anchors, options, rng, d_queries, p, workers);
    });
  }

  /// Errors: FormatError; then nothing changed.
  template <class Archive>
  void archive(Archive& ar) {
    std::visit([&](auto& q) { q.archive(ar); }, queue_);
  }

 private:
  static const QueueChoice& checked(const QueueChoice& choice) {
    choice.validate();
    return choice;
  }
  static Any make(index_t capacity, index_t width, index_t classes, M metric, const QueueChoice& choice) {
    switch (choice.kind) {
      case QueueKind::class_balanced: return ClassBalancedQueue<M, Arch>(capacity, width, classes, std::move(metric));
      case QueueKind::memory_bank: return MemoryBank<M, Arch>(capacity, width, std::move(metric));
      case QueueKind::clustered:
        return ClusteredQueue<M, Arch>(capacity, width, classes, choice.cluster_rule, std::move(metric));
      case QueueKind::fifo: break;
    }
    return FifoQueue<M, Arch>(capacity, width, std::move(metric));
  }

  template <class F>
  decltype(auto) with(F&& f) const {
    return std::visit(f, queue_);
  }
  template <class F>
  auto positives(const OwnKeys& own, F&& f) const {
    return with([&](const auto& q) {
      if (choice_.positives == PositiveRule::own_key) return f(q, OnePositive{own.keys});
      return f(q, SelectedPositives(choice_));
    });
  }

  QueueChoice choice_;
  Any queue_;
};

}  // namespace knnbert::inline v0_1
