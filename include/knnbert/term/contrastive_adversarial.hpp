#pragma once
#include "knnbert/distributed/team.hpp"
#include "knnbert/encoder/pooling.hpp"
#include "knnbert/loss/cross_entropy.hpp"
#include "knnbert/loss/in_batch_contrast.hpp"
#include "knnbert/metric/cosine.hpp"
#include "knnbert/nn/head.hpp"
#include "knnbert/term/word_table.hpp"
#include "knnbert/text/label_kind.hpp"

namespace knnbert::inline v0_1 {

struct ContrastiveAdversarialOptions {
  float lambda = 0.2f;  ///< weight of the contrast of clean and perturbed texts; either cross entropy has half the rest
  float scale = 1;      ///< of all of it, beside other terms
  float epsilon = 1e-3f;
  float temperature = 0.1f;
  index_t projection = 300;        ///< width of what is contrasted
  WordStep step = WordStep::sign;  ///< FGSM; l2: FGM
  float label_smoothing = 0;       ///< of both cross entropies: the same as the clean one's

  /// The weight that the clean cross entropy, which is a term of its own, is to have.
  float cross_entropy() const { return scale * (1 - lambda) / 2; }

  /// Errors: OptionError.
  void validate() const {
    const auto require = [](bool right, std::string_view name, float given, std::string_view expected) {
      if (!right) raise<OptionError>("ContrastiveAdversarial::{}: {} given, {} expected", name, given, expected);
    };
    require(lambda >= 0 && lambda < 1, "lambda", lambda, "at least 0 and below 1");
    require(scale >= 0 && std::isfinite(scale), "scale", scale, "at least 0");
    require(epsilon > 0 && std::isfinite(epsilon), "epsilon", epsilon, "a positive number");
    require(temperature > 0 && std::isfinite(temperature), "temperature", temperature, "a positive number");
    require(label_smoothing >= 0 && label_smoothing <= 1, "label_smoothing", label_smoothing, "0 to 1");
    require(projection > 0, "projection", static_cast<float>(projection), "at least 1");
  }
};

/// Contrastive adversarial training (CAT): the word table moves along the gradient of the clean cross entropy, every
/// occurrence of a word alike; a cross entropy of the texts read with it, and NT-Xent of the first rows of either pass,
/// projected by a head of this term's own.  arXiv 2107.10137. The clean cross entropy is CrossEntropy's.
/// Cost of a step: a forward and a backward pass more, and a backward pass to the embedding's sums. A gradient that is
/// zero or not finite drops the term from the step. Weights in fp32 are needed. Processes compare the texts of all.
template <class Head>
class BasicContrastiveAdversarial : public ContrastiveAdversarialOptions {
 public:
  static constexpr std::string_view name = "cat";
  static constexpr bool serves(Task task) { return task == Task::single_label; }
  static constexpr bool whole_batch = true;

  BasicContrastiveAdversarial() = default;
  BasicContrastiveAdversarial(const ContrastiveAdversarialOptions& options) : ContrastiveAdversarialOptions(options) {}

  void join(Team team) { team_ = team; }

  template <class Model>
  void declare(const Model& model, ParameterTable& table) {
    validate();
    head_ = Head::declare(table, "cat", model.width(),
                          {.outputs = projection, .dropout = 0, .activation = HeadActivation::relu});
  }
  void initialize(ParameterBlock& own_values, const Rng& rng) const { head_.initialize(own_values, rng); }

  template <class Context>
  TermValue add(Context& c) {
    numbers_ = {};
    if (scale == 0) return std::nullopt;
    WordTable words = word_gradient(c);
    if (!words.step(step, epsilon)) return ++numbers_.dropped, std::nullopt;
    const index_t texts = std::ssize(c.examples);
    typename std::remove_cvref_t<decltype(c.model)>::pass_type pass;
    Matrix d_logits(texts, c.model.classes());
    float value = 0;
    if (texts > 0) {
      run_perturbed(c, words, pass);
      numbers_.cross_entropy = c.share() * CrossEntropyLoss{label_smoothing}(pass.logits(), c.labels, d_logits);
      scale_rows(d_logits, cross_entropy() * c.share());
      value = cross_entropy() * numbers_.cross_entropy;
      count_flips(c.logits, pass.logits());
    }
    Views clean = project(c, c.pass, texts), perturbed = project(c, pass, texts);
    numbers_.contrast = contrast(c, clean, perturbed);
    value += scale * lambda * numbers_.contrast;
    if (texts > 0) pull(c, pass, d_logits, clean, perturbed);
    return value;
  }

  /// The perturbed cross entropy and the contrast without their weights, the share of texts whose class changes, and
  /// whether the term was dropped.
  template <class Sink>
  void measure(Sink&& sink) const {
    float all[] = {numbers_.cross_entropy, numbers_.contrast, numbers_.flipped, numbers_.texts, numbers_.dropped};
    if (team_.size() > 1) team_.all_reduce(all);
    if (all[4] > 0) return sink("cat_dropped", 1.0);
    sink("perturbed_cross_entropy", static_cast<double>(all[0])), sink("view_contrast", static_cast<double>(all[1]));
    if (all[3] > 0) sink("flipped", static_cast<double>(all[2] / all[3]));
  }

  template <class Sink>
  void identity(Sink&& sink) const {
    sink("lambda", lambda), sink("scale", scale), sink("epsilon", epsilon), sink("temperature", temperature);
    if (label_smoothing > 0) sink("label_smoothing", label_smoothing);
    sink("projection", projection), sink("step", step == WordStep::sign ? "sign" : "l2");
  }

 private:
  /// The first rows of a pass, projected, and the gradients of both.
  struct Views {
    typename Head::tape_type tape{};
    Matrix first, z, d_z, d_first;
  };

  /// Gradient of the clean cross entropy of the whole step at the words of all processes.
  template <class Context>
  WordTable word_gradient(const Context& c) const {
    typename std::remove_cvref_t<decltype(c.model)>::rows_type d_sums;
    const bool any = !c.examples.empty();
    if (any) {
      Matrix d(std::ssize(c.examples), c.model.classes());
      CrossEntropyLoss{label_smoothing}(c.logits, c.labels, d);
      scale_rows(d, c.share());
      c.model.backward(c.model.values(), c.pass, {.d_logits = d, .d_sums_out = &d_sums});
    }
    static const Batch none;
    return WordTable(any ? c.pass.batch() : none, d_sums, c.model.width(), team_);
  }

  /// The texts once more, read with the words that moved, with masks of their own.
  template <class Context, class Pass>
  void run_perturbed(const Context& c, const WordTable& words, Pass& pass) const {
    const Batch& batch = c.pass.batch();
    Matrix sums(batch.tokens(), c.model.width());
    copy(c.pass.sums(), sums);
    words.add_to(batch, sums);
    auto options = c.forward_options();
    if (options.dropout) options.dropout = c.clock.rng(Stream::noise).fork(2);
    c.model.forward(c.model.values(), {batch, Entry::sums, sums}, options, pass);
  }

  template <class Context, class Pass>
  Views project(const Context& c, const Pass& pass, index_t texts) const {
    Views views;
    for (Matrix* m : {&views.first, &views.d_first}) m->resize(texts, c.model.width());
    for (Matrix* m : {&views.z, &views.d_z}) m->resize(texts, projection);
    if (texts == 0) return views;
    first_rows(pass.hidden(pass.layers()), c.pass.batch().offsets, views.first);
    head_.forward(c.own_values, views.first, std::nullopt, c.first_example, views.tape, View(views.z));
    return views;
  }

  /// This process' share of NT-Xent of the views of all; own rows get their gradient, weighted.
  template <class Context>
  float contrast(const Context& c, Views& clean, Views& perturbed) const {
    const index_t all = c.step_examples, first = c.first_example, texts = clean.z.rows();
    Matrix raw(2 * all, projection), z(2 * all, projection), d(2 * all, projection);
    const auto half = [&](Matrix& m, bool second) { return View(m).row_range(second ? all : 0, all); };
    for (const bool second : {false, true}) {
      if (texts > 0) copy((second ? perturbed : clean).z, half(raw, second).row_range(first, texts));
      gather_rows(team_, half(raw, second));
    }
    copy(raw, z);
    Cosine().prepare(z);
    std::vector<label_t> pairs;
    for (index_t i = 0; i < 2 * all; ++i) pairs.push_back(static_cast<label_t>(i % all));
    const float value = InBatchContrast{temperature}(z, pairs, d);
    scale_rows(d, scale * lambda);
    for (const bool second : {false, true}) {
      const auto own = [&](Matrix& m) { return half(m, second).row_range(first, texts); };
      if (texts > 0) Cosine().prepare_backward(own(raw), own(z), own(d), (second ? perturbed : clean).d_z);
    }
    return c.share() * value;
  }

  /// Backward of the perturbed pass; what reaches the sums enters the clean pass there: the perturbation is constant.
  template <class Context, class Pass>
  void pull(Context& c, const Pass& pass, ConstView d_logits, Views& clean, Views& perturbed) const {
    using Model = std::remove_cvref_t<decltype(c.model)>;
    for (Views* v : {&clean, &perturbed}) {
      v->d_first.fill(0);
      head_.backward(c.own_values, v->tape, v->d_z, &c.own_gradients, View(v->d_first), c.model.workers());
    }
    const typename Model::hidden_gradient_type d_hidden[] = {{pass.layers(), HiddenRows::first, perturbed.d_first}};
    typename Model::rows_type d_sums;
    c.model.backward(c.model.values(), pass,
                     {.d_logits = d_logits, .d_hidden = d_hidden, .parameters = &c.gradients, .d_sums_out = &d_sums});
    add_rows(d_sums, c.entering.d_sums());
    add_rows(clean.d_first, c.entering.d_hidden(pass.layers(), HiddenRows::first));
  }

  void count_flips(ConstView clean, ConstView perturbed) {
    const auto best = [](std::span<const float> row) { return std::max_element(row.begin(), row.end()) - row.begin(); };
    for (index_t i = 0; i < clean.rows(); ++i) numbers_.flipped += best(clean.row(i)) != best(perturbed.row(i));
    numbers_.texts = static_cast<float>(clean.rows());
  }

  struct Numbers {
    float cross_entropy = 0, contrast = 0, flipped = 0, texts = 0, dropped = 0;
  };

  Team team_;
  Head head_;
  Numbers numbers_;  // of a step
};

/// The same with the kind of head that the model's stack has.
struct ContrastiveAdversarial : ContrastiveAdversarialOptions {
  template <class Model>
  using bound = BasicContrastiveAdversarial<typename Model::head_type>;

  ContrastiveAdversarial() = default;
  explicit ContrastiveAdversarial(const ContrastiveAdversarialOptions& options)
      : ContrastiveAdversarialOptions(options) {}
};

}  // namespace knnbert::inline v0_1
