#pragma once
#include "knnbert/encoder/momentum.hpp"
#include "knnbert/io/archive.hpp"
#include "knnbert/term/context.hpp"

namespace knnbert::inline v0_1 {

/// Self-ensemble (BERT_SE): dev data, the datastore and the saved model get the mean of the values behind all updates,
/// or behind those after a fraction `from` of the run.  arXiv 2002.10345. Adds nothing to the loss.
/// State: a second parameter block.
class ValueAverage {
 public:
  static constexpr std::string_view name = "average";

  /// from: fraction of the run's updates after which the mean starts.
  explicit ValueAverage(double from = 0) : from_(from) {}

  /// Null before the first update that counts.
  const ParameterBlock* values_to_evaluate() const { return count_ > 0 ? &mean_ : nullptr; }

  template <class Model, class Data>
  void prepare(const Model& model, const Data&) {
    if (!(from_ >= 0 && from_ < 1))
      raise<OptionError>("ValueAverage::from: {} given, at least 0 and below 1 expected", from_);
    mean_ = model.values();
    count_ = 0;
  }

  template <class Start>
  void begin_step(Start& start) {
    counts_ = static_cast<double>(start.clock.step) >= from_ * static_cast<double>(start.clock.steps);
  }
  template <class Context>
  TermValue add(Context&) const {
    return std::nullopt;
  }
  template <class Model>
  void after_update(const Model& model, std::span<const Range> ranges) {
    if (!counts_) return;
    ++count_;
    follow(model.values(), mean_, static_cast<float>(1.0 / static_cast<double>(count_)), ranges, model.workers());
  }

  template <class Sink>
  void identity(Sink&& sink) const {
    sink("from", from_);
  }
  template <class Archive>
  void archive(Archive& ar) {
    std::vector<std::int64_t> count{count_};
    ar("count", count), ar("mean", archived_floats<Archive>(mean_));
    if (count.size() != 1 || count[0] < 0) raise<FormatError>("ValueAverage::archive: damaged state");
    count_ = count[0];
  }

 private:
  double from_;
  ParameterBlock mean_{};
  index_t count_ = 0;
  bool counts_ = true;
};

}  // namespace knnbert::inline v0_1
