#pragma once
#include <cmath>

#include "knnbert/io/archive.hpp"
#include "knnbert/kernel/update.hpp"
#include "knnbert/optimizer/clip.hpp"
#include "knnbert/optimizer/concept.hpp"
#include "knnbert/optimizer/moments.hpp"

namespace knnbert::inline v0_1 {

struct AdamWOptions {
  float beta1 = 0.9f, beta2 = 0.999f;
  float epsilon = 1e-8f;
  float weight_decay = 0;  ///< decoupled; only for parameters that decay

  /// Errors: OptionError.
  void validate() const {
    if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1))
      raise<OptionError>("AdamWOptions: betas {} and {} given, [0, 1) expected", beta1, beta2);
    if (!(epsilon > 0)) raise<OptionError>("AdamWOptions::epsilon: {} given, a positive number expected", epsilon);
    if (!(weight_decay >= 0))
      raise<OptionError>("AdamWOptions::weight_decay: {} given, at least 0 expected", weight_decay);
  }
};

/// Adam with bias correction and decoupled weight decay.  Loshchilov and Hutter 2019, arXiv 1711.05101.
/// Rows of the lookup table without any gradient so far have zero moments and are skipped, unless they decay.
/// A run that continues from an archive must also restore Gradients::archive_rows.
template <class Arch = DefaultArch>
class BasicAdamW {
 public:
  /// Errors: OptionError.
  explicit BasicAdamW(const AdamWOptions& options = {}) : options_(options) { options.validate(); }
  static BasicAdamW make(float weight_decay, float epsilon = AdamWOptions{}.epsilon) {
    return BasicAdamW({.epsilon = epsilon, .weight_decay = weight_decay});
  }

  const AdamWOptions& options() const { return options_; }
  index_t updates() const { return updates_; }  ///< steps taken

  /// Errors: ShapeError; then nothing changed.
  void step(ParameterBlock& values, Gradients& gradients, float rate, const Workers& workers = Workers(),
            std::span<const float> multipliers = {}) {
    detail::require_step("AdamW::step", values, gradients, multipliers);
    update_all(values, gradients, 1, rate, workers, multipliers);
  }

  /// Euclidean norm of all gradients.
  double norm(const ParameterBlock&, Gradients& gradients, const Workers& workers = Workers()) {
    return global_norm<Arch>(gradients, workers, squares_);
  }

  /// A step with the gradients clipped by a norm to at most max_norm (0: not), without writing them; none unless the
  /// norm and `finite` say that there is a gradient.  Errors: as step().
  void clipped_step(double norm, ParameterBlock& values, Gradients& gradients, double max_norm, float rate,
                    const Workers& workers = Workers(), std::span<const float> multipliers = {}, bool finite = true) {
    detail::require_step("AdamW::clipped_step", values, gradients, multipliers);
    if (finite && std::isfinite(norm))
      update_all(values, gradients, clip_factor(norm, max_norm), rate, workers, multipliers);
  }
  /// The same by the gradients' own norm, which it returns.
  double clipped_step(ParameterBlock& values, Gradients& gradients, double max_norm, float rate,
                      const Workers& workers = Workers(), std::span<const float> multipliers = {}, bool finite = true) {
    const double own = norm(values, gradients, workers);
    clipped_step(own, values, gradients, max_norm, rate, workers, multipliers, finite);
    return own;
  }
  /// Of two blocks that are clipped together.
  static double joint_norm(double a, double b) { return std::hypot(a, b); }
  static double read_norm(double norm) { return norm; }

  /// Errors: FormatError; then nothing changed.
  template <class Archive>
  void archive(Archive& ar) {
    std::int64_t updates = updates_;
    ar("updates", updates);
    if constexpr (WritesOnly<Archive>) {
      ar("first_moment", first_.floats()), ar("second_moment", second_.floats());
    } else {
      restore(ar, updates);
    }
  }

 private:
  struct Corrections {
    double first, root_second;
  };

  template <class Archive>
  void restore(Archive& ar, std::int64_t updates) {
    if (updates < 0) raise<FormatError>("AdamW::archive: {} updates given", updates);
    auto first = first_.exchanged(ar, "first_moment"), second = second_.exchanged(ar, "second_moment");
    if (first.size() != second.size())
      raise<FormatError>("AdamW::archive: moments of {} and {} floats given", first.size(), second.size());
    first_ = std::move(first), second_ = std::move(second);
    updates_ = updates;
  }

  Corrections bias_corrections() const {
    const auto t = static_cast<double>(updates_);
    return {1 - std::pow(static_cast<double>(options_.beta1), t),
            std::sqrt(1 - std::pow(static_cast<double>(options_.beta2), t))};
  }

  float keep(const Parameter& parameter, float rate) const {
    return parameter.decays ? static_cast<float>(1 - static_cast<double>(rate) * options_.weight_decay) : 1.0f;
  }

  void update_all(ParameterBlock& values, Gradients& gradients, float clip, float rate, const Workers& workers,
                  std::span<const float> multipliers) {
    first_.require("AdamW::step", values.size());
    second_.require("AdamW::step", values.size());
    ++updates_;
    const auto& table = values.table();
    const auto corrections = bias_corrections();
    float* p = values.data();
    const float* g = std::as_const(gradients).data();
    detail::sweep(gradients.ranges(), workers, [&](std::size_t, Range range) {
      detail::for_each_parameter(table, range, [&](index_t number, Range part) {
        const float factor = detail::multiplier(multipliers, number);
        if (factor == 0) return;  // frozen; a rate of 0 still feeds the moments
        update(p, g, part, corrections, clip, rate * factor, keep(table[number], rate * factor));
      });
    });
    if (options_.weight_decay > 0 && table.has_lookup()) decay_inactive(values, gradients, rate, workers, multipliers);
  }

  void update(float* p, const float* g, Range part, const Corrections& corrections, float clip, float rate,
              float keep) {
    const kernel::AdamWStep numbers{.clip = clip,
                                    .one_minus_beta1 = 1 - options_.beta1,
                                    .beta2 = options_.beta2,
                                    .one_minus_beta2 = 1 - options_.beta2,
                                    .step_size = static_cast<float>(rate / corrections.first),
                                    .root_correction = static_cast<float>(1 / corrections.root_second),
                                    .epsilon = options_.epsilon,
                                    .keep = keep};
    const index_t at = part.begin;
    kernel::adamw_update<Arch>(p + at, g + at, first_.data() + at, second_.data() + at, part.end - at, numbers);
  }

  /// What the full update does to a row with zero gradient and moments, with the same bits.
  void decay_inactive(ParameterBlock& values, Gradients& gradients, float rate, const Workers& workers,
                      std::span<const float> multipliers) {
    const Parameter& lookup = values.table().lookup();
    const float factor = keep(lookup, rate * detail::multiplier(multipliers, values.table().count() - 1));
    if (factor == 1) return;
    float* const p = values.data();
    detail::sweep(gradients.inactive_ranges(), workers,
                  [&](std::size_t, Range r) { kernel::scale<Arch>(p + r.begin, r.end - r.begin, factor); });
  }

  AdamWOptions options_;
  detail::Moments first_, second_;
  index_t updates_ = 0;
  std::vector<double> squares_;  // scratch
};

using AdamW = BasicAdamW<>;
static_assert(TrainingOptimizer<AdamW>);

}  // namespace knnbert::inline v0_1
