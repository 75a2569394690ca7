#pragma once
#include <numbers>

#include "knnbert/encoder/bert_config.hpp"
#include "knnbert/encoder/tied_decoder.hpp"
#include "knnbert/nn/initialize.hpp"

namespace knnbert::inline v0_1 {

/// What a masked-language-model head computes from rows, for its backward pass, and scratch of both. Not to be shared
/// by concurrent calls.
struct MaskedHeadTape {
  Matrix rows, before, inner, output, statistics;  // [M, H]: given, around the activation, normalized; [M, 2]
  Matrix d_output, d_inner, d_rows;
  TransposedWeight transposed;
  std::vector<AlignedBuffer<float>> copies;
  kernel::LoweredRows lowered;
};

/// Linear(H, H) -> the encoder's activation -> LayerNorm, whose rows a tied decoder turns into logits of words, and the
/// decoder's bias: what BertForMaskedLM has behind its encoder. The places of the parameters, not their values.
/// Devlin et al. 2019.
template <class Arch = DefaultArch>
class BasicMaskedHead {
 public:
  Linear dense;
  Norm norm;
  index_t bias = -1;
  ActivationKind activation = ActivationKind::gelu;

  /// Declares cls.predictions.transform.{dense,LayerNorm} and cls.predictions.bias.
  static BasicMaskedHead declare(ParameterTable& table, const BertConfig& c) {
    const std::string name = "cls.predictions.";
    BasicMaskedHead head;
    head.dense = Linear::declare(table, name + "transform.dense", c.hidden_size, c.hidden_size);
    head.norm = Norm::declare(table, name + "transform.LayerNorm", c.hidden_size, c.layer_norm_eps);
    head.bias = table.add_vector(name + "bias", c.vocab_size);
    head.activation = c.hidden_act;
    return head;
  }

  void initialize(ParameterBlock& values, const Rng& rng, double deviation) const {
    for (const index_t p : {dense.weight, dense.bias, norm.gain, norm.bias, bias})
      initialize_like_bert(values, p, rng, deviation);
  }

  /// tape.output [M, H] from tape.rows [M, H].
  void forward(const ParameterBlock& values, MaskedHeadTape& tape, const Workers& workers) const {
    const index_t rows = tape.rows.rows();
    for (Matrix* m : {&tape.before, &tape.inner, &tape.output}) m->resize(rows, dense.outputs);
    tape.statistics.resize(rows, 2);
    const float* b = values.slice(dense.bias);
    if (activation == ActivationKind::gelu) {
      linear<Arch, OnlyFp32>(dense, values, tape.rows, kernel::Activate<kernel::Gelu, true>{tape.inner, tape.before, b},
                             tape.lowered, workers);
    } else {
      linear<Arch, OnlyFp32>(dense, values, tape.rows, kernel::AddBias{tape.before, b}, tape.lowered, workers);
      if (activation == ActivationKind::relu) kernel::activate<Arch, kernel::Relu>(tape.before, tape.inner);
      else kernel::activate<Arch, kernel::GeluTanh>(tape.before, tape.inner);
    }
    kernel::layer_norm<Arch>(tape.inner, values.slice(norm.gain), values.slice(norm.bias), norm.epsilon, tape.output,
                             tape.statistics);
  }

  /// From tape.d_output to tape.d_rows; adds the gradients of the parameters but the decoder's bias.
  void backward(const ParameterBlock& values, MaskedHeadTape& tape, Gradients& gradients,
                const Workers& workers) const {
    for (Matrix* m : {&tape.d_inner, &tape.d_rows}) m->resize(tape.rows.rows(), dense.outputs);
    kernel::layer_norm_backward<Arch>(tape.inner, tape.statistics, values.slice(norm.gain), tape.d_output,
                                      tape.d_inner);
    kernel::add_layer_norm_gradient<Arch>(tape.inner, tape.statistics, tape.d_output, gradients.slice(norm.gain),
                                          gradients.slice(norm.bias), 0, norm.width);
    activation_backward(tape);
    tape.copies.resize(static_cast<std::size_t>(workers.size()));
    workers.for_each(gradient_tasks(dense), [&](index_t task, index_t worker) {
      add_linear_gradient<Arch>(dense, tape.rows, tape.d_inner, gradients, task, tape.copies[as_size(worker)]);
    });
    tape.transposed.template assign<Arch>(dense, values, workers);
    linear_backward<Arch>(dense, tape.transposed, tape.d_inner, kernel::Store{tape.d_rows});
  }

  /// The first value of a parameter: normal numbers within two deviations for weights and tables, 1 for gains of
  /// normalizations, else 0.
  static void initialize_like_bert(ParameterBlock& values, index_t parameter, const Rng& rng, double deviation) {
    const Parameter& p = values.table()[parameter];
    const Rng own = rng.fork(mix_bits(static_cast<std::uint64_t>(parameter)));
    const float constant = p.name.ends_with("LayerNorm.weight") ? 1.0f : 0.0f;
    float* to = values.data();
    for (index_t r = 0; r < p.rows; ++r)
      for (index_t c = 0; c < p.cols; ++c) {
        const Rng element = own.fork(static_cast<std::uint64_t>(r * p.cols + c));
        double x = p.vector ? 0 : element.normal(0);
        for (std::uint64_t draw = 1; std::abs(x) > 2; ++draw) x = element.normal(draw);
        to[p.at(r, c)] = p.vector ? constant : static_cast<float>(deviation * x);
      }
  }

 private:
  void activation_backward(MaskedHeadTape& tape) const {
    if (activation == ActivationKind::relu)
      return kernel::activate_backward<Arch, kernel::Relu>(tape.d_inner, tape.before, tape.d_inner);
    if (activation == ActivationKind::gelu_tanh)
      return kernel::activate_backward<Arch, kernel::GeluTanh>(tape.d_inner, tape.before, tape.d_inner);
    for (index_t r = 0; r < tape.d_inner.rows(); ++r)  // few rows
      for (index_t c = 0; c < tape.d_inner.cols(); ++c) {
        const double x = tape.before(r, c), density = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
        tape.d_inner(r, c) *= static_cast<float>((1 + std::erf(x / std::numbers::sqrt2)) / 2 + x * density);
      }
  }
};

}  // namespace knnbert::inline v0_1
