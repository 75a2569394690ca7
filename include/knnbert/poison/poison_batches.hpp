#pragma once
#include "knnbert/text/training_data.hpp"

namespace knnbert::inline v0_1 {

/// A second source of texts for a training step: as many as it has clean ones, one random order of all after another.
class PoisonBatches {
 public:
  PoisonBatches() = default;
  explicit PoisonBatches(TrainingData texts) : texts_(std::move(texts)) {}

  index_t size() const { return texts_.size(); }
  const Batch& batch() const { return batch_; }  ///< of the last assign()
  std::span<const label_t> labels() const { return targets_.classes; }

  /// A run begins.
  void restart() { begin_ = end_ = 0; }
  /// A step of so many examples begins.
  void begin_step(std::size_t examples) { begin_ = std::exchange(end_, end_ + static_cast<index_t>(examples)); }

  /// Texts [first, first + count) of the step.
  void assign(const StepClock& clock, index_t first, index_t count) {
    examples_.clear();
    for (index_t at = begin_ + first; at < begin_ + first + count; ++at) {
      const index_t round = at / size();
      if (order_.empty() || round != round_ || clock.seed != seed_) {
        order_ = Rng(clock.seed, Stream::poison, static_cast<std::uint64_t>(round)).permutation(size());
        round_ = round, seed_ = clock.seed;
      }
      examples_.push_back(order_[as_size(at % size())]);
    }
    texts_.assign(examples_, clock, batch_, targets_);
  }

  /// How many texts earlier steps took: a resumed run goes on behind them.  Errors: FormatError.
  template <class Archive>
  void archive(Archive& ar) {
    std::vector<std::int64_t> taken{end_};
    ar("poisoned_texts_taken", taken);
    if (taken.size() != 1 || taken[0] < 0) raise<FormatError>("PoisonBatches::archive: damaged state");
    end_ = taken[0];
  }

  /// Errors: OptionError unless there are texts of a model's classes.
  void require(std::string_view where, index_t classes) const {
    if (size() == 0) raise<OptionError>("{}: no poisoned text given, at least one expected", where);
    if (texts_.classes() != classes)
      raise<OptionError>("{}: poisoned texts of {} classes given, {} expected", where, texts_.classes(), classes);
  }

 private:
  TrainingData texts_;
  std::vector<index_t> order_, examples_;
  index_t round_ = -1, begin_ = 0, end_ = 0;
  std::uint64_t seed_ = 0;
  Batch batch_;
  Targets targets_;
};

}  // namespace knnbert::inline v0_1
