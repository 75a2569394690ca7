#pragma once
#include "knnbert/metric/cosine.hpp"
#include "knnbert/queue/key_table.hpp"

namespace knnbert::inline v0_1 {

/// A ring of capacity / classes keys for every class, so that a frequent class cannot crowd out a rare one. Slots are
/// handed out in order of arrival; a full class overwrites its own oldest key.
template <Metric M = Cosine, class Arch = DefaultArch>
class ClassBalancedQueue : public KeyTable<M, Arch, SameLabel, MostAndLeastSimilar> {
  using Base = KeyTable<M, Arch, SameLabel, MostAndLeastSimilar>;

 public:
  /// Errors: OptionError, if a class would have no room.
  ClassBalancedQueue(index_t capacity, index_t width, index_t classes, M metric = {})
      : Base("ClassBalancedQueue", capacity, width, std::move(metric), {}), rings_(checked(capacity, classes)) {}

  index_t classes() const { return std::ssize(rings_); }
  index_t capacity_per_class() const { return this->capacity() / classes(); }
  index_t size_of(label_t label) const { return std::ssize(rings_.at(static_cast<std::size_t>(label)).places); }

  /// Takes prepared keys; of more of a class than fit, the last ones remain.
  /// Errors: ShapeError (also for a label outside [0, classes)), NonFiniteError; then nothing changed.
  void push(ConstView keys,                     // [n, D]
            std::span<const label_t> labels) {  // [n]
    this->require_keys("ClassBalancedQueue::push", keys, labels);
    for (const label_t label : labels)
      if (label >= classes())
        raise<ShapeError>("ClassBalancedQueue::push: label {} given, below {} expected", label, classes());
    for (index_t i = 0; i < keys.rows(); ++i) {
      const label_t label = labels[static_cast<std::size_t>(i)];
      this->write(take_slot(rings_[static_cast<std::size_t>(label)]), keys.row(i), label);
    }
  }

  void clear() {
    this->forget();
    for (Ring& ring : rings_) ring = {};
  }

  /// Errors: FormatError; then nothing changed.
  template <class Archive>
  void archive(Archive& ar) {
    std::vector<std::int64_t> next;
    for (const Ring& ring : rings_) next.push_back(ring.next);
    ar("next", next);
    std::vector<Ring> rings(rings_.size());
    this->archive_keys(ar, [&](std::span<const std::int64_t> labels) { rebuild(labels, next, rings); });
    rings_ = std::move(rings);
  }

 private:
  struct Ring {
    std::vector<index_t> places;  // ascending
    index_t next = 0;             // position in places of the oldest key, once full
  };

  static std::size_t checked(index_t capacity, index_t classes) {
    if (classes < 1 || capacity < classes)
      raise<OptionError>("ClassBalancedQueue: {} classes in a capacity of {}, at least one key a class expected",
                         classes, capacity);
    return static_cast<std::size_t>(classes);
  }

  index_t take_slot(Ring& ring) {
    if (std::ssize(ring.places) < capacity_per_class()) return ring.places.emplace_back(this->size());
    const index_t slot = ring.places[static_cast<std::size_t>(ring.next)];
    ring.next = (ring.next + 1) % capacity_per_class();
    return slot;
  }

  void rebuild(std::span<const std::int64_t> labels, std::span<const std::int64_t> next,
               std::vector<Ring>& rings) const {
    if (next.size() != rings.size())
      raise<FormatError>("ClassBalancedQueue::archive: {} classes stored, {} expected", next.size(), rings.size());
    for (std::size_t slot = 0; slot < labels.size(); ++slot) {
      if (labels[slot] >= classes())
        raise<FormatError>("ClassBalancedQueue::archive: label {} stored, below {} expected", labels[slot], classes());
      rings[static_cast<std::size_t>(labels[slot])].places.push_back(static_cast<index_t>(slot));
    }
    for (std::size_t c = 0; c < rings.size(); ++c) {
      const index_t size = std::ssize(rings[c].places);
      if (size > capacity_per_class() || next[c] < 0 || next[c] >= capacity_per_class() ||
          (size < capacity_per_class() && next[c]))
        raise<FormatError>("ClassBalancedQueue::archive: class {} has {} keys and next {}, room for {}", c, size,
                           next[c], capacity_per_class());
      rings[c].next = next[c];
    }
  }

  std::vector<Ring> rings_;
};

}  // namespace knnbert::inline v0_1
