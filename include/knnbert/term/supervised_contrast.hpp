#pragma once
#include <optional>

#include "knnbert/distributed/team.hpp"
#include "knnbert/loss/in_batch_contrast.hpp"
#include "knnbert/loss/released_scl.hpp"
#include "knnbert/metric/cosine.hpp"
#include "knnbert/term/context.hpp"

namespace knnbert::inline v0_1 {

struct SupervisedContrastOptions {
  float weight = 0.9f;  ///< lambda; the cross entropy has the rest
  float temperature = 0.3f;
  bool released = false;  ///< the loss of KNN-BERT's released code: see ReleasedSclLoss
  std::optional<bool> logits =
      {};  ///< compare logits as they are rather than embeddings of length 1; none: as released

  bool on_logits() const { return logits.value_or(released); }
};

/// Supervised contrast of the examples of a step: embeddings of a class, brought to length 1, attract each other and
/// repel all others.  SCL, arXiv 2011.01403. Absent from a step in which no class comes twice: then the cross entropy
/// has the whole weight. Processes that train together compare the examples of all.
class SupervisedContrast : public SupervisedContrastOptions {
 public:
  static constexpr std::string_view name = "supervised_contrast";
  static constexpr bool whole_batch = true;

  SupervisedContrast() = default;
  explicit SupervisedContrast(const SupervisedContrastOptions& options) : SupervisedContrastOptions(options) {}

  void join(Team team) { team_ = team; }

  template <class Model, class Data>
  void prepare(const Model&, const Data&) const {
    if (!(weight >= 0) || !std::isfinite(weight))
      raise<OptionError>("SupervisedContrast::weight: {} given, at least 0 expected", weight);
    if (!(temperature > 0) || !std::isfinite(temperature))
      raise<OptionError>("SupervisedContrast::temperature: {} given, a positive number expected", temperature);
  }

  template <class Start>
  void begin_step(Start& start) {
    labels_.assign(start.labels.begin(), start.labels.end());
    present_ = weight > 0 && (released ? has_two_classes() : InBatchContrast::count_valid(labels_) > 0);
    if (!present_) start.idle_weight += weight;
  }

  template <class Context>
  TermValue add(Context& c) const {
    if (!present_) return std::nullopt;
    const auto of = [&](const auto& loss) {
      return on_logits() ? contrast(c, c.logits, c.d_logits, loss) : contrast(c, c.embedding, c.d_embedding, loss);
    };
    return released ? of(ReleasedSclLoss{temperature}) : of(InBatchContrast{temperature});
  }

  template <class Sink>
  void identity(Sink&& sink) const {
    sink("weight", weight), sink("temperature", temperature), sink("released", released);
    if (logits) sink("input", *logits ? "logits" : "pooled");
  }

 private:
  bool has_two_classes() const {
    return std::any_of(labels_.begin(), labels_.end(), [&](label_t label) { return label != labels_.front(); });
  }

  /// Of rows of all processes; own ones get their gradient. The value is this process' share of the step's.
  template <class Context, class Loss>
  TermValue contrast(const Context& c, ConstView own, View d_own, const Loss& loss) const {
    const index_t first = c.first_example, count = std::ssize(c.examples);
    Matrix raw(c.step_examples, on_logits() ? c.model.classes() : c.model.width());
    if (count > 0) copy(own, View(raw).row_range(first, count));
    gather_rows(team_, raw);
    Matrix z(raw.rows(), raw.cols()), d(raw.rows(), raw.cols());
    copy(raw, z);
    if (!on_logits()) Cosine().prepare(z);
    const float value = loss(z, labels_, d);
    if (count == 0) return 0.0f;
    scale_rows(d, weight);
    const auto rows = [&](const Matrix& m) { return ConstView(m).row_range(first, count); };
    Matrix d_raw(count, raw.cols());
    if (on_logits()) copy(rows(d), d_raw);
    else Cosine().prepare_backward(rows(raw), rows(z), rows(d), d_raw);
    add_rows(d_raw, d_own);
    return weight * c.share() * value;
  }

  Team team_;
  std::vector<label_t> labels_;  // of the step
  bool present_ = false;
};

}  // namespace knnbert::inline v0_1
