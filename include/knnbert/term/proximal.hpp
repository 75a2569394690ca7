#pragma once
#include "knnbert/loss/answer_divergence.hpp"
#include "knnbert/term/teacher.hpp"

namespace knnbert::inline v0_1 {

struct ProximalOptions {
  float weight = 1;                                 ///< mu
  float early_momentum = 0.99f, momentum = 0.999f;  ///< of the averaged values, for the first updates and then
  double early_share = 0.1;                         ///< how many of the run's updates are the first ones
  index_t updates_per_batch = 1;                    ///< S, as TrainerOptions has it
  bool plain = false;                               ///< the values before a batch's updates in place of their average

  /// Errors: OptionError.
  void validate() const {
    detail::require_weight("Proximal::weight", weight);
    for (const float m : {early_momentum, momentum})
      if (!(m >= 0 && m <= 1)) raise<OptionError>("Proximal::momentum: {} given, 0 to 1 expected", m);
    if (!(early_share >= 0 && early_share <= 1))
      raise<OptionError>("Proximal::early_share: {} given, 0 to 1 expected", early_share);
    if (updates_per_batch < (plain ? 2 : 1))
      raise<OptionError>("Proximal::updates_per_batch: {} given, at least {} expected{}", updates_per_batch,
                         plain ? 2 : 1, plain ? ": the first update has nothing to be near to" : "");
  }
};

/// SMART's Bregman proximal point: weight * divergence of the logits and those of earlier values, which keeps updates
/// near them: an exponential average that follows once a batch, or the values that a batch's updates start from.
/// arXiv 1911.03437, section 3.2.
/// The average's pass has no dropout, the student's has: TrainerOptions::dropout = false for an exact divergence.
/// Cost of a step: a forward pass more. State: a second parameter block. Zero in the first step, where both are equal
/// (but for dropout).
template <class Divergence = AnswerDivergence>
class BasicProximal : public ProximalOptions {
 public:
  static constexpr std::string_view name = "proximal";
  static constexpr bool serves(Task task) { return detail::compares_answers<Divergence>(task); }

  BasicProximal() = default;
  BasicProximal(const ProximalOptions& options, Divergence divergence = {})
      : ProximalOptions(options), divergence_(divergence) {}

  const ParameterBlock& average() const { return average_; }

  template <class Model, class Data>
  void prepare(const Model& model, const Data&) {
    validate();
    average_ = model.values();
  }

  template <class Start>
  void begin_step(Start& start) {
    const auto first_updates = early_share * static_cast<double>(start.clock.steps);
    const auto place = start.clock.step % static_cast<std::uint64_t>(updates_per_batch);
    own_momentum_ = static_cast<double>(start.clock.step) < first_updates ? early_momentum : momentum;
    last_of_batch_ = place + 1 == static_cast<std::uint64_t>(updates_per_batch);
    if (plain && place == 0) average_ = start.model.values();
    start.model.lower(average_);
  }

  template <class Context>
  TermValue add(Context& c) const {
    if (weight == 0) return std::nullopt;
    typename std::remove_cvref_t<decltype(c.model)>::pass_type pass;
    return detail::add_divergence(c, divergence_, detail::teacher_logits(c, average_, pass), weight);
  }

  template <class Model>
  void after_update(const Model& model, std::span<const Range> ranges) {
    if (!plain && last_of_batch_) follow(model.values(), average_, 1 - own_momentum_, ranges, model.workers());
  }

  template <class Sink>
  void identity(Sink&& sink) const {
    sink("weight", weight), sink("early_momentum", early_momentum), sink("momentum", momentum);
    sink("early_share", early_share), sink("updates_per_batch", updates_per_batch), sink("plain", plain);
  }

  template <class Archive>
  void archive(Archive& ar) {
    ar("average", archived_floats<Archive>(average_));
  }

 private:
  Divergence divergence_;
  ParameterBlock average_;
  float own_momentum_ = 0;
  bool last_of_batch_ = true;
};

using Proximal = BasicProximal<>;

}  // namespace knnbert::inline v0_1
