#pragma once
#include <algorithm>

#include "knnbert/loss/squared_error.hpp"
#include "knnbert/term/teacher.hpp"

namespace knnbert::inline v0_1 {

/// Who teaches.
enum class TeacherKind {
  window,   ///< the mean of the last values (BERT_SDA)
  vote,     ///< the mean of what the last values answer, one forward pass for each (BERT_SDV)
  average,  ///< an exponential average of all values so far
};

struct DistillationOptions {
  float weight = 1;  ///< lambda
  TeacherKind teacher = TeacherKind::window;
  index_t window = 1;             ///< W: how many of the last values
  bool evaluate_teacher = false;  ///< dev data, datastore and the saved model get the teacher's values

  /// Errors: OptionError.
  void validate() const {
    detail::require_weight("SelfDistillation::weight", weight);
    if (window < 1) raise<OptionError>("SelfDistillation::window: {} given, at least 1 expected", window);
    if (evaluate_teacher && teacher == TeacherKind::vote)
      raise<OptionError>("SelfDistillation::evaluate_teacher: true given, but several values have no mean to evaluate");
  }
};

/// Self-distillation: weight * divergence of the logits and those of a teacher that is made of the run's own earlier
/// values and answers without dropout.  arXiv 2002.10345. The first step of a window has no teacher.
/// Cost of a step: a forward pass more, W for a vote. State: W + 1 parameter blocks, one for an average.
template <class Divergence = SquaredErrorLoss>
class BasicSelfDistillation : public DistillationOptions {
 public:
  static constexpr std::string_view name = "distillation";

  BasicSelfDistillation() = default;
  BasicSelfDistillation(const DistillationOptions& options, Divergence divergence = {})
      : DistillationOptions(options), divergence_(divergence) {}

  /// The mean of the window, or the exponential average; null before the first update, and for a vote.
  const ParameterBlock* teacher_values() const {
    return teacher == TeacherKind::vote || stored_ == 0 ? nullptr : &mean_;
  }

  template <class Model, class Data>
  void prepare(const Model& model, const Data&) {
    validate();
    recent_.clear();
    stored_ = 0, updates_ = 0;
    mean_ = model.values();
    if (teacher == TeacherKind::average) stored_ = 1;  // the values that the run starts with teach its first step
  }

  template <class Start>
  void begin_step(Start& start) {
    if (stored_ == 0 || weight == 0) return;
    if (teacher != TeacherKind::vote) return start.model.lower(mean_);
    for (ParameterBlock& values : recent_) start.model.lower(values);
  }

  template <class Context>
  TermValue add(Context& c) const {
    if (stored_ == 0 || weight == 0) return std::nullopt;
    typename std::remove_cvref_t<decltype(c.model)>::pass_type pass;
    if (teacher != TeacherKind::vote)
      return detail::add_divergence(c, divergence_, detail::teacher_logits(c, mean_, pass), weight);
    const ConstView logits = c.logits;
    Matrix mean(logits.rows(), logits.cols());
    mean.fill(0);
    for (const ParameterBlock& values : recent_) add_rows(detail::teacher_logits(c, values, pass), mean);
    scale_rows(mean, 1 / static_cast<float>(stored_));
    return detail::add_divergence(c, divergence_, mean, weight);
  }

  /// Values are recorded when their gradients are complete and before they change: they never teach themselves. A step
  /// that was skipped has changed nothing, and the next one records nothing.
  template <class Model>
  void before_update(const Model& model, const Gradients&) {
    if (teacher == TeacherKind::average) return;
    if (moved_ || !is_newest(model.values())) record(model.values(), model.workers());
    moved_ = false;
  }

  template <class Model>
  void after_update(const Model& model, std::span<const Range> ranges) {
    moved_ = true;
    if (teacher != TeacherKind::average) return;
    const auto step = static_cast<float>(updates_++);
    follow(model.values(), mean_, 1 - std::min(0.995f, (1 + step) / (10 + step)), ranges, model.workers());
  }

  const ParameterBlock* values_to_evaluate() const { return evaluate_teacher ? teacher_values() : nullptr; }

  template <class Sink>
  void identity(Sink&& sink) const {
    sink("weight", weight), sink("window", window);
    sink("teacher", teacher == TeacherKind::window ? "window" : teacher == TeacherKind::vote ? "vote" : "average");
    sink("evaluate_teacher", evaluate_teacher);
  }

  template <class Archive>
  void archive(Archive& ar) {
    std::vector<std::int64_t> state{stored_, updates_, newest_, moved_};
    ar("state", state);
    const bool right = state.size() == 4 && state[0] >= 0 && state[0] <= window && state[1] >= 0 && state[2] >= 0 &&
                       state[2] < std::max<index_t>(state[0], 1);
    if (!right) raise<FormatError>("SelfDistillation::archive: damaged state");
    stored_ = state[0], updates_ = state[1], newest_ = state[2], moved_ = state[3] != 0;
    if (teacher != TeacherKind::vote) ar("mean", archived_floats<Archive>(mean_));
    if (teacher == TeacherKind::average) return;
    while (std::ssize(recent_) < stored_) recent_.push_back(mean_);
    for (index_t i = 0; i < stored_; ++i)
      ar("values" + std::to_string(i), archived_floats<Archive>(recent_[as_size(i)]));
  }

 private:
  static constexpr index_t updates_until_exact = 256;  // the mean is summed up anew, so that rounding does not add up

  bool is_newest(const ParameterBlock& values) const {
    return stored_ > 0 && std::equal(values.data(), values.data() + values.size(), recent_[as_size(newest_)].data());
  }

  void record(const ParameterBlock& values, const Workers& workers) {
    const bool full = stored_ == window;
    if (!full) {
      recent_.push_back(values);
      newest_ = stored_++;
    } else {
      newest_ = (newest_ + 1) % window;  // the oldest one's place
    }
    ++updates_;
    if (teacher == TeacherKind::window) move_mean(values, full, workers);
    if (full) recent_[as_size(newest_)] = values;
  }

  /// The mean with `values` in, and where the window was full without what lies in their place.
  void move_mean(const ParameterBlock& values, bool full, const Workers& workers) {
    const float* in = values.data();
    const float* out = full ? std::as_const(recent_[as_size(newest_)]).data() : nullptr;
    float* mean = mean_.data();
    const auto count = static_cast<float>(stored_);
    const bool exact = updates_ % updates_until_exact == 0;
    for_pieces(values.size(), workers, [&](index_t begin, index_t end) {
      if (exact || stored_ == 1) return sum_up(in, mean, begin, end);
      for (index_t i = begin; i < end; ++i) mean[i] += (in[i] - (out ? out[i] : mean[i])) / count;
    });
  }
  /// Numbers [begin, end) of the mean from the window's, `in` in the newest one's place.
  void sum_up(const float* in, float* mean, index_t begin, index_t end) const {
    for (index_t i = begin; i < end; ++i) {
      double sum = in[i];
      for (index_t j = 0; j < stored_; ++j)
        if (j != newest_) sum += std::as_const(recent_[as_size(j)]).data()[i];
      mean[i] = static_cast<float>(sum / static_cast<double>(stored_));
    }
  }
  template <class F>
  static void for_pieces(index_t size, const Workers& workers, F&& f) {
    constexpr index_t piece = index_t{1} << 16;
    workers.for_each((size + piece - 1) / piece,
                     [&](index_t i, index_t) { f(i * piece, std::min(size, (i + 1) * piece)); });
  }

  Divergence divergence_;
  ParameterBlock mean_;
  std::vector<ParameterBlock> recent_;  // a ring
  index_t stored_ = 0, newest_ = 0, updates_ = 0;
  bool moved_ = true;  // whether there was an update since values were recorded
};

using SelfDistillation = BasicSelfDistillation<>;

}  // namespace knnbert::inline v0_1
