#pragma once
#include "knnbert/metric/cosine.hpp"
#include "knnbert/queue/key_table.hpp"

namespace knnbert::inline v0_1 {

/// Keys that never change once the bank is frozen: the ablation without a moving queue. The bank freezes itself when it
/// is full; later keys are ignored, so callers may skip encoding them.
template <Metric M = Cosine, class Arch = DefaultArch>
class MemoryBank : public KeyTable<M, Arch, SameLabel, MostAndLeastSimilar> {
  using Base = KeyTable<M, Arch, SameLabel, MostAndLeastSimilar>;

 public:
  /// Errors: OptionError.
  MemoryBank(index_t capacity, index_t width, M metric = {})
      : Base("MemoryBank", capacity, width, std::move(metric), {}) {}

  bool frozen() const { return frozen_; }
  void freeze() { frozen_ = true; }

  /// Takes prepared keys while there is room.  Errors: ShapeError, NonFiniteError; then nothing changed.
  void push(ConstView keys,                     // [n, D]
            std::span<const label_t> labels) {  // [n]
    this->require_keys("MemoryBank::push", keys, labels);
    if (frozen_) return;
    const index_t room = std::min(keys.rows(), this->capacity() - this->size());
    for (index_t i = 0; i < room; ++i) this->write(this->size(), keys.row(i), labels[static_cast<std::size_t>(i)]);
    frozen_ = this->size() == this->capacity();
  }

  /// Empties the bank and lets it fill again.
  void clear() {
    this->forget();
    frozen_ = false;
  }

  /// Errors: FormatError; then nothing changed.
  template <class Archive>
  void archive(Archive& ar) {
    std::int64_t frozen = frozen_;
    ar("frozen", frozen);
    this->archive_keys(ar, [&](std::span<const std::int64_t>) {
      if (frozen != 0 && frozen != 1) raise<FormatError>("MemoryBank::archive: frozen is {}, 0 or 1 expected", frozen);
    });
    frozen_ = frozen != 0;
  }

 private:
  bool frozen_ = false;
};

}  // namespace knnbert::inline v0_1
