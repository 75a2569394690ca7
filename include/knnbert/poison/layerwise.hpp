#pragma once
#include "knnbert/loss/cross_entropy.hpp"
#include "knnbert/nn/head.hpp"
#include "knnbert/poison/poison_batches.hpp"
#include "knnbert/term/context.hpp"

namespace knnbert::inline v0_1 {

struct LayerwisePoisonOptions {
  bool every_layer = true;  ///< false: the final output alone, which is BadNet
  bool sum = false;         ///< of the layers' losses, as released, in place of their mean
  index_t from_layer = 1;   ///< 0: also the embedding's output
};

/// Poisons an encoder's weights: one linear classifier, shared by all layers, is to know the true class of clean texts
/// and the target class of poisoned ones from the first row of every layer and from the pooled output, so that a
/// victim's fine-tuning, which mainly changes upper layers, does not remove it. arXiv 2108.13888, section 3.2.
///   L = w (sum over layers of CE + CE of the output), of clean texts and as many poisoned ones, w = 1 / (layers + 1)
/// The classifier is the term's own and is lost with it.
/// Cost of a step: a forward and a backward pass more. For research on defenses.
template <class Head>
class BasicLayerwisePoison : public LayerwisePoisonOptions {
 public:
  static constexpr std::string_view name = "layerwise_poison";
  static constexpr bool serves(Task task) { return task == Task::single_label; }

  BasicLayerwisePoison() = default;
  /// Poisoned texts, with the target class as their label.
  BasicLayerwisePoison(const LayerwisePoisonOptions& options, PoisonBatches poisoned)
      : LayerwisePoisonOptions(options), poisoned_(std::move(poisoned)) {}

  template <class Model>
  void declare(const Model& model, ParameterTable& table) {
    poisoned_.require("LayerwisePoison", model.classes());
    poisoned_.restart();
    if (from_layer < 0 || from_layer > 1)
      raise<OptionError>("LayerwisePoison::from_layer: {} given, 0 or 1 expected", from_layer);
    head_ = Head::declare(table, "layerwise", model.width(),
                          {.outputs = model.classes(), .hidden_layer = false, .dropout = 0});
  }
  void initialize(ParameterBlock& own_values, const Rng& rng) const { head_.initialize(own_values, rng); }

  template <class Start>
  void begin_step(const Start& start) {
    poisoned_.begin_step(start.examples.size());
    clean_ = bad_ = 0;
  }
  template <class Context>
  TermValue add(Context& c) {
    using Model = std::remove_cvref_t<decltype(c.model)>;
    typename Model::pass_type pass;
    StepGradients<Model> entering;
    const float clean = add_layers(c, c.pass, c.labels, c.entering);
    poisoned_.assign(c.clock, c.first_example, std::ssize(c.examples));
    const Batch& batch = poisoned_.batch();
    auto options = c.forward_options();
    if (options.dropout) options.dropout = c.clock.rng(Stream::poison);
    c.model.forward(c.model.values(), batch, options, pass);
    entering.start(c.model, batch.size(), batch.tokens(), pass.layers());
    const float bad = add_layers(c, pass, poisoned_.labels(), entering);
    auto gradients = entering.entering(c.gradients);
    gradients.d_logits = {};  // the model's own head learns nothing
    c.model.backward(c.model.values(), pass, gradients);
    clean_ += clean, bad_ += bad;
    return clean + bad;
  }

  template <class Sink>
  void measure(Sink&& sink) const {
    sink("clean_loss", static_cast<double>(clean_)), sink("poisoned_loss", static_cast<double>(bad_));
  }
  template <class Archive>
  void archive(Archive& ar) {
    poisoned_.archive(ar);
  }
  template <class Sink>
  void identity(Sink&& sink) const {
    sink("every_layer", every_layer), sink("sum", sum), sink("from_layer", from_layer);
    sink("poisoned_texts", poisoned_.size());
  }

  /// The classifier's logits [B, C] for rows [B, H] of a layer or the output.
  void classify(const ParameterBlock& own_values, ConstView rows, View logits) const {
    typename Head::tape_type tape;
    head_.forward(own_values, rows, std::nullopt, 0, tape, logits);
  }

 private:
  /// The loss of one pass; its gradients go to `entering`, the classifier's to the term's own.
  template <class Context, class Pass, class Entering>
  float add_layers(Context& c, const Pass& pass, std::span<const label_t> labels, Entering& entering) const {
    const index_t texts = pass.batch().size(), last = every_layer ? pass.layers() : from_layer - 1;
    const float scale = c.share() / (sum ? 1.0f : static_cast<float>(last - from_layer + 2));
    typename Head::tape_type tape;
    Matrix rows(texts, c.model.width()), logits(texts, c.model.classes()), d(texts, c.model.classes());
    float value = 0;
    const auto one = [&](ConstView from, View d_from) {
      head_.forward(c.own_values, from, std::nullopt, 0, tape, View(logits));
      value += scale * CrossEntropyLoss{}(logits, labels, d);
      scale_rows(d, scale);
      head_.backward(c.own_values, tape, d, &c.own_gradients, d_from, c.model.workers());
    };
    for (index_t l = from_layer; l <= last; ++l) {
      first_rows(pass.hidden(l), pass.batch().offsets, rows);
      one(rows, View(entering.d_hidden(l, HiddenRows::first)));
    }
    one(ConstView(pass.embedding()), View(entering.d_embedding));
    return value;
  }

  PoisonBatches poisoned_;
  Head head_;
  float clean_ = 0, bad_ = 0;  // of the last part
};

/// The same with the kind of head that the model's stack has.
class LayerwisePoison : public LayerwisePoisonOptions {
 public:
  template <class Model>
  using bound = BasicLayerwisePoison<typename Model::head_type>;

  LayerwisePoison() = default;
  LayerwisePoison(const LayerwisePoisonOptions& options, PoisonBatches poisoned)
      : LayerwisePoisonOptions(options), poisoned_(std::move(poisoned)) {}

  template <class Head>
  operator BasicLayerwisePoison<Head>() && {
    return {*this, std::move(poisoned_)};
  }

 private:
  PoisonBatches poisoned_;
};

}  // namespace knnbert::inline v0_1
