#pragma once
#include "knnbert/metric/cosine.hpp"
#include "knnbert/queue/key_table.hpp"

namespace knnbert::inline v0_1 {

/// A ring of the last `capacity` keys; slots fill from 0 and the oldest is overwritten.
template <Metric M = Cosine, class Arch = DefaultArch, class Mask = SameLabel,
          PositivePolicy Positives = MostAndLeastSimilar>
class FifoQueue : public KeyTable<M, Arch, Mask, Positives> {
  using Base = KeyTable<M, Arch, Mask, Positives>;

 public:
  /// Errors: OptionError.
  FifoQueue(index_t capacity, index_t width, M metric = {}, Mask mask = {})
      : Base("FifoQueue", capacity, width, std::move(metric), std::move(mask)) {}

  /// Takes prepared keys; of more than fit, the last ones remain.  Errors: ShapeError, NonFiniteError; then nothing
  /// changed.
  void push(ConstView keys,                     // [n, D]
            std::span<const label_t> labels) {  // [n]
    this->require_keys("FifoQueue::push", keys, labels);
    const index_t skipped = std::max<index_t>(0, keys.rows() - this->capacity());
    for (index_t i = skipped; i < keys.rows(); ++i)
      this->write((next_ + i) % this->capacity(), keys.row(i), labels[static_cast<std::size_t>(i)]);
    next_ = (next_ + keys.rows()) % this->capacity();
  }

  void clear() {
    this->forget();
    next_ = 0;
  }

  /// Errors: FormatError; then nothing changed.
  template <class Archive>
  void archive(Archive& ar) {
    std::int64_t next = next_;
    ar("next", next);
    this->archive_keys(ar, [&](std::span<const std::int64_t> labels) {
      const bool full = std::ssize(labels) == this->capacity();
      if (next < 0 || next >= this->capacity() || (!full && next != std::ssize(labels)))
        raise<FormatError>("FifoQueue::archive: next slot {} with {} keys of {}", next, labels.size(),
                           this->capacity());
    });
    next_ = next;
  }

 private:
  index_t next_ = 0;
};

}  // namespace knnbert::inline v0_1
