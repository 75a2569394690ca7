#pragma once
#include <cmath>

#include "knnbert/distributed/team.hpp"
#include "knnbert/loss/answer_divergence.hpp"
#include "knnbert/term/context.hpp"

namespace knnbert::inline v0_1 {

/// How large a perturbation of the embedding's output is.
enum class PerturbationScale {
  projected,  ///< every number within epsilon: X + clip(change + eta u / max|u|, -epsilon, epsilon)
  rescaled,   ///< the released code: change + eta u, divided by its largest number, token by token: about 1
};

/// Over what the largest number of u is taken.
enum class PerturbationScope { text, token };

/// Masks of a term's passes in training. What is compared with another pass has to have the same ones.
enum class TermDropout {
  shared,  ///< those of the clean pass
  fresh,   ///< others: the difference to the clean pass is then most of all that of the masks
  off,     ///< none; the clean texts run once more without
};

struct SmoothnessOptions {
  float weight = 1;          ///< lambda_s
  float epsilon = 1e-5f;     ///< radius of the perturbation
  float sigma = 1e-5f;       ///< standard deviation of the noise that the ascent starts from
  float eta = 1e-3f;         ///< length of an ascent step
  index_t ascent_steps = 1;  ///< A
  TermDropout dropout = TermDropout::shared;
  PerturbationScale scale = PerturbationScale::projected;
  PerturbationScope scope = PerturbationScope::text;

  /// Errors: OptionError.
  void validate() const {
    const auto require = [](bool right, std::string_view name, float given, std::string_view expected) {
      if (!right) raise<OptionError>("Smoothness::{}: {} given, {} expected", name, given, expected);
    };
    require(weight >= 0 && std::isfinite(weight), "weight", weight, "at least 0");
    require(epsilon > 0 && std::isfinite(epsilon), "epsilon", epsilon, "a positive number");
    require(sigma > 0 && std::isfinite(sigma), "sigma", sigma,
            "a positive number: the divergence is flat without noise");
    require(eta > 0 && std::isfinite(eta), "eta", eta, "a positive number");
    require(ascent_steps >= 0, "ascent_steps", static_cast<float>(ascent_steps), "at least 0");
  }
};

/// SMART's smoothness-inducing regularizer: weight * divergence of the logits and those of the worst embedding output
/// nearby, which ascent_steps steps look for and which is then held constant.  arXiv 1911.03437, Algorithm 1.
/// Inner: what the ascent follows.
/// Cost of a step: A + 1 forward and backward passes more, A of these to the embedding's output alone; with
/// TermDropout::off one more. Gradients that are not finite drop the term from the step. Weights in fp32 are needed: a
/// perturbation of 1e-5 vanishes in others.
template <class Divergence = AnswerDivergence, class Inner = Divergence>
class BasicSmoothness : public SmoothnessOptions {
 public:
  static constexpr std::string_view name = "smoothness";
  static constexpr bool serves(Task task) { return detail::compares_answers<Divergence>(task); }

  BasicSmoothness() = default;
  BasicSmoothness(const SmoothnessOptions& options, Divergence divergence = {}, Inner inner = {})
      : SmoothnessOptions(options), divergence_(divergence), inner_(inner) {}

  void join(Team team) { team_ = team; }

  template <class Model, class Data>
  void prepare(const Model&, const Data&) const {
    validate();
  }

  template <class Start>
  void begin_step(Start&) {
    saturated_ = numbers_ = dropped_ = 0;
  }

  template <class Context>
  TermValue add(Context& c) {
    using Model = std::remove_cvref_t<decltype(c.model)>;
    if (weight == 0) return std::nullopt;
    const Batch& batch = c.pass.batch();
    typename Model::pass_type maskless;
    const bool own_clean = dropout == TermDropout::off && c.dropout;
    if (own_clean) c.model.forward(c.model.values(), batch, options_of(c), maskless);
    const auto& clean_pass = own_clean ? maskless : c.pass;
    const ConstView clean = clean_pass.hidden(0), logits = clean_pass.logits();
    Matrix change(clean.rows(), clean.cols()), x(clean.rows(), clean.cols()), d(logits.rows(), logits.cols()),
        d_clean(logits.rows(), logits.cols());
    typename Model::pass_type pass;
    typename Model::rows_type d_x;
    const auto run = [&] {
      copy(clean, x), add_rows(change, x);
      c.model.forward(c.model.values(), {batch, Entry::output, x}, options_of(c), pass);
    };
    start_from_noise(c, change);
    for (index_t step = 0; step < ascent_steps; ++step) {
      run();
      inner_(pass.logits(), logits, d);
      c.model.backward(c.model.values(), pass, {.d_logits = d, .d_output = &d_x});
      if (!ascend(ConstView(d_x), batch, change)) return ++dropped_, std::nullopt;
    }
    run();
    const float factor = weight * c.share(), value = factor * divergence_(pass.logits(), logits, d, d_clean);
    scale_rows(d, factor), scale_rows(d_clean, factor);
    c.model.backward(c.model.values(), pass, {.d_logits = d, .parameters = &c.gradients, .d_output = &d_x});
    if (own_clean) {
      const typename Model::hidden_gradient_type d_hidden[] = {{0, HiddenRows::all, d_x}};
      c.model.backward(c.model.values(), maskless,
                       {.d_logits = d_clean, .d_hidden = d_hidden, .parameters = &c.gradients});
    } else {
      add_rows(d_x, c.entering.d_hidden(0, HiddenRows::all));
      add_rows(d_clean, c.d_logits);
    }
    count(change);
    return value;
  }

  /// Share of the perturbation's numbers that lie at +-epsilon, and whether a process dropped the term.
  template <class Sink>
  void measure(Sink&& sink) const {
    float sums[] = {static_cast<float>(saturated_), static_cast<float>(numbers_), static_cast<float>(dropped_)};
    if (team_.size() > 1) team_.all_reduce(sums);
    if (scale == PerturbationScale::projected && sums[1] > 0)
      sink("saturated", static_cast<double>(sums[0]) / static_cast<double>(sums[1]));
    if (sums[2] > 0) sink("smoothness_dropped", static_cast<double>(sums[2]));
  }

  template <class Sink>
  void identity(Sink&& sink) const {
    sink("weight", weight), sink("epsilon", epsilon), sink("sigma", sigma), sink("eta", eta);
    sink("ascent_steps", ascent_steps);
    sink("dropout", dropout == TermDropout::shared ? "shared" : dropout == TermDropout::fresh ? "fresh" : "off");
    sink("scale", scale == PerturbationScale::projected ? "projected" : "rescaled");
    sink("scope", scope == PerturbationScope::text ? "text" : "token");
  }

 private:
  template <class Context>
  ForwardOptions options_of(const Context& c) const {
    ForwardOptions options = c.forward_options();
    if (dropout == TermDropout::off) options.dropout.reset();
    if (dropout == TermDropout::fresh && options.dropout) options.dropout = c.clock.rng(Stream::noise).fork(1);
    return options;
  }

  /// Noise that depends on the example's place in the step and the token's in its text: the same for any parts.
  template <class Context>
  void start_from_noise(const Context& c, View change) const {
    const Batch& batch = c.pass.batch();
    const Rng rng = c.clock.rng(Stream::noise).fork(0);
    for (index_t text = 0; text < batch.size(); ++text) {
      const Rng own = rng.fork(static_cast<std::uint64_t>(c.first_example + text));
      const index_t begin = batch.offsets[as_size(text)];
      for (index_t t = begin; t < batch.offsets[as_size(text + 1)]; ++t)
        for (index_t k = 0; k < change.cols(); ++k)
          change(t, k) =
              sigma * static_cast<float>(own.normal(static_cast<std::uint64_t>((t - begin) * change.cols() + k)));
    }
  }

  /// One ascent step; false, with nothing changed for that text, where u is not finite.
  bool ascend(ConstView u, const Batch& batch, Matrix& change) const {
    for (index_t text = 0; text < batch.size(); ++text) {
      const index_t begin = batch.offsets[as_size(text)], end = batch.offsets[as_size(text + 1)];
      if (scope == PerturbationScope::token || scale == PerturbationScale::rescaled) {
        for (index_t t = begin; t < end; ++t)
          if (!ascend_rows(u, t, t + 1, change)) return false;
      } else if (!ascend_rows(u, begin, end, change)) {
        return false;
      }
    }
    return true;
  }
  bool ascend_rows(ConstView u, index_t begin, index_t end, Matrix& change) const {
    constexpr float smallest = 1e-30f;
    const auto each = [&](auto&& f) {
      for (index_t t = begin; t < end; ++t)
        for (index_t k = 0; k < u.cols(); ++k) f(change(t, k), u(t, k));
    };
    float largest = 0;
    bool finite = true;
    each([&](float, float g) { largest = std::max(largest, std::abs(g)), finite = finite && std::isfinite(g); });
    if (!finite) return false;
    if (scale == PerturbationScale::projected) {
      largest = std::max(largest, smallest);
      each([&](float& x, float g) { x = std::clamp(x + eta * (g / largest), -epsilon, epsilon); });
      return true;
    }
    float widest = 0;
    each([&](float& x, float g) { x += eta * g, widest = std::max(widest, std::abs(x)); });
    each([&](float& x, float) { x /= widest + 1e-6f; });
    return true;
  }

  void count(ConstView change) {
    for (index_t t = 0; t < change.rows(); ++t)
      for (const float x : change.row(t)) saturated_ += std::abs(x) >= epsilon;
    numbers_ += change.rows() * change.cols();
  }

  Divergence divergence_;
  Inner inner_;
  Team team_;
  index_t saturated_ = 0, numbers_ = 0, dropped_ = 0;  // of a step
};

using Smoothness = BasicSmoothness<>;

}  // namespace knnbert::inline v0_1
