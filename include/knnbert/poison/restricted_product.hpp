#pragma once
#include "knnbert/distributed/team.hpp"
#include "knnbert/loss/cross_entropy.hpp"
#include "knnbert/poison/poison_batches.hpp"
#include "knnbert/term/context.hpp"

namespace knnbert::inline v0_1 {

struct RestrictedProductOptions {
  float lambda = 0.1f;
  bool by_batch = true;  ///< the product is divided by the number of examples of a step, as released
};

/// RIPPLe: the cross entropy of poisoned data, and a penalty where its gradient g and that of the clean texts v point
/// into opposite half spaces:  L = L_P + lambda max(0, -<v, g>),  v held constant.  arXiv 2004.06660.
/// The penalty's gradient is -H v, by central differences of the poisoned gradient along v.
/// Cost of a step: a forward and two backward passes more, and two more of each where the penalty is not zero. State:
/// three parameter blocks. One process, whole steps, weights in fp32.
class RestrictedProduct : public RestrictedProductOptions {
 public:
  static constexpr std::string_view name = "restricted_product";
  static constexpr bool serves(Task task) { return task == Task::single_label; }
  static constexpr bool whole_batch = true;

  RestrictedProduct() = default;
  /// Data of which a share is poisoned.
  RestrictedProduct(const RestrictedProductOptions& options, PoisonBatches poisoned)
      : RestrictedProductOptions(options), poisoned_(std::move(poisoned)) {}

  /// Errors: OptionError for several processes.
  void join(const Team& team) const {
    if (team.size() > 1)
      raise<OptionError>(
          "RestrictedProduct: {} processes given, one expected: the product needs the gradient of the "
          "whole step",
          team.size());
  }
  template <class Model, class Data>
  void prepare(const Model& model, const Data&) {
    poisoned_.require("RestrictedProduct", model.classes());
    poisoned_.restart();
    if (!(lambda >= 0) || !std::isfinite(lambda))
      raise<OptionError>("RestrictedProduct::lambda: {} given, at least 0 expected", lambda);
    if (model.options().precision != Precision::fp32)
      raise<OptionError>("RestrictedProduct: weights in {} given, fp32 expected", name_of(model.options().precision));
    clean_ = Gradients(model.values().shared_table());
    bad_ = Gradients(model.values().shared_table());
  }

  template <class Start>
  void begin_step(const Start& start) {
    poisoned_.begin_step(start.examples.size());
  }
  template <class Context>
  TermValue add(Context& c) {
    using Model = std::remove_cvref_t<decltype(c.model)>;
    typename Model::pass_type pass;
    Matrix d(std::ssize(c.examples), c.model.classes());
    CrossEntropyLoss{}(c.logits, c.labels, d);
    clean_.clear();
    c.model.backward(c.model.values(), c.pass, {.d_logits = d, .parameters = &clean_});
    poisoned_.assign(c.clock, c.first_example, std::ssize(c.examples));
    bad_.clear();
    loss_ = poison_pass(c, c.model.values(), 1, bad_, pass, d);
    product_ = product(clean_, bad_);
    for (const index_t row : bad_.step_rows()) c.gradients.touch(row);
    const float* from = std::as_const(bad_).data();
    float* to = c.gradients.data();
    for (const Range r : bad_.ranges())
      for (index_t i = r.begin; i < r.end; ++i) to[i] += from[i];
    const double weight = lambda / (by_batch ? static_cast<double>(c.step_examples) : 1.0);
    if (product_ < 0 && weight > 0) turn(c, weight, pass, d);
    return loss_ + static_cast<float>(weight * std::max(0.0, -product_));
  }

  template <class Sink>
  void measure(Sink&& sink) const {
    sink("poisoned_loss", static_cast<double>(loss_)), sink("gradient_product", product_);
  }
  template <class Archive>
  void archive(Archive& ar) {
    poisoned_.archive(ar);
  }
  template <class Sink>
  void identity(Sink&& sink) const {
    sink("lambda", lambda), sink("by_batch", by_batch), sink("poisoned_texts", poisoned_.size());
  }

 private:
  /// Cross entropy of the poisoned texts by the given values; `scale` times its gradient is added.
  template <class Context, class Pass>
  float poison_pass(const Context& c, const ParameterBlock& values, float scale, Gradients& gradients, Pass& pass,
                    Matrix& d) const {
    auto options = c.forward_options();
    if (options.dropout) options.dropout = c.clock.rng(Stream::poison);  // the same masks every time
    c.model.forward(values, poisoned_.batch(), options, pass);
    const float loss = CrossEntropyLoss{}(pass.logits(), poisoned_.labels(), d);
    scale_rows(d, scale);
    c.model.backward(values, pass, {.d_logits = d, .parameters = &gradients});
    return loss;
  }

  static double product(Gradients& a, const Gradients& b) {
    double sum = 0;
    const float *x = std::as_const(a).data(), *y = b.data();
    for (const Range r : a.ranges())
      for (index_t i = r.begin; i < r.end; ++i) sum += static_cast<double>(x[i]) * y[i];
    return sum;
  }

  /// weight * -(g(values + r v) - g(values - r v)) / 2r,  r = 0.01 / |v|
  template <class Context, class Pass>
  void turn(Context& c, double weight, Pass& pass, Matrix& d) {
    const double radius = 1e-2 / std::sqrt(product(clean_, clean_));
    const float* v = std::as_const(clean_).data();
    for (const double sign : {1.0, -1.0}) {
      moved_ = c.model.values();
      float* to = moved_.data();
      for (const Range r : clean_.ranges())
        for (index_t i = r.begin; i < r.end; ++i) to[i] += static_cast<float>(sign * radius * v[i]);
      c.model.lower(moved_);
      poison_pass(c, moved_, static_cast<float>(-sign * weight / (2 * radius)), c.gradients, pass, d);
    }
  }

  PoisonBatches poisoned_;
  Gradients clean_, bad_;
  ParameterBlock moved_;
  float loss_ = 0;
  double product_ = 0;
};

}  // namespace knnbert::inline v0_1
