#pragma once
#include <optional>
#include <vector>

#include "knnbert/nn/initialize.hpp"

namespace knnbert::inline v0_1 {

enum class HeadActivation { tanh, relu };

struct HeadOptions {
  index_t outputs = 0;
  bool hidden_layer = true;  ///< without it, the head is one linear layer
  float dropout = 0.1f;
  HeadActivation activation = HeadActivation::tanh;  ///< of the hidden layer
};

/// Layers from embeddings to logits or features, as the places of their parameters: declare(table, name, inputs,
/// options) adds these under NAME., initialize(values, rng) gives them their first values. forward(values, x [B, H],
/// dropout, first_example, tape, out [B, outputs]) has masks that depend on a text's number in its step; backward adds
/// to the parameters' gradients, unless they are null, and to d_x [B, H]. output() is the last linear layer.
template <class H>
concept Head = std::copyable<H> && std::default_initializable<typename H::tape_type> &&
    requires(const H& head, ParameterTable& table, const std::string& name, const HeadOptions& options,
             ParameterBlock& values, const Rng& rng, ConstView x, const std::optional<Rng>& dropout, index_t number,
             typename H::tape_type& tape, View rows, Gradients* gradients, const Workers& workers) {
  { H::declare(table, name, number, options) } -> std::same_as<H>;
  { head.outputs() } -> std::convertible_to<index_t>;
  { head.output() } -> std::same_as<const Linear&>;
  head.initialize(values, rng);
  head.forward(std::as_const(values), x, dropout, number, tape, rows);
  head.backward(std::as_const(values), std::as_const(tape), x, gradients, rows, workers);
};

/// What a head keeps for its backward pass, and scratch of that pass; reused from step to step. Not to be used by two
/// backward passes at once.
struct HeadTape {
  Matrix input, hidden, dropped;  // [B, H] after the first dropout, after the activation, after the second dropout
  std::vector<std::uint64_t> row_keys;

  struct Scratch {
    Matrix d_last, d_first;
    TransposedWeight transposed;
    AlignedBuffer<float> gradient;
  };
  mutable Scratch scratch;
};

/// dropout -> Linear(H, H) -> activation -> dropout -> Linear(H, outputs); the places of its parameters, not their
/// values.
template <class Arch = DefaultArch>
class BasicMlpHead {
 public:
  using tape_type = HeadTape;

  /// Declares the parameters NAME.dense (with a hidden layer) and NAME.out_proj.  Errors: OptionError.
  static BasicMlpHead declare(ParameterTable& table, const std::string& name, index_t inputs,
                              const HeadOptions& options) {
    if (options.outputs < 1)
      raise<OptionError>("MlpHead::declare: {} outputs given, at least 1 expected", options.outputs);
    BasicMlpHead head;
    head.options_ = options;
    if (options.hidden_layer) head.dense_ = Linear::declare(table, name + ".dense", inputs, inputs);
    head.output_ = Linear::declare(table, name + ".out_proj", options.outputs, inputs);
    return head;
  }

  const HeadOptions& options() const { return options_; }
  index_t outputs() const { return output_.outputs; }
  const Linear& dense() const { return dense_; }
  const Linear& output() const { return output_; }

  /// Uniform in +-1/sqrt(inputs).
  void initialize(ParameterBlock& values, const Rng& rng) const {
    if (options_.hidden_layer) initialize_uniform(dense_, values, rng);
    initialize_uniform(output_, values, rng);
  }

  /// out [B, outputs] from x [B, H]. With random numbers, dropout is on and text i of the step is first_example + i.
  void forward(const ParameterBlock& values, ConstView x, const std::optional<Rng>& dropout, index_t first_example,
               HeadTape& tape, View out) const {
    assign_keys(x.rows(), dropout, first_example, tape.row_keys);
    drop(x, 0, tape.row_keys, tape.input);
    if (!options_.hidden_layer) return linear<Arch>(output_, values, tape.input, out);
    tape.hidden.resize(x.rows(), dense_.outputs);
    linear<Arch>(dense_, values, tape.input, tape.hidden);
    if (options_.activation == HeadActivation::relu) kernel::activate<Arch, kernel::Relu>(tape.hidden, tape.hidden);
    else kernel::activate<Arch, kernel::Tanh>(tape.hidden, tape.hidden);
    drop(tape.hidden, 1, tape.row_keys, tape.dropped);
    linear<Arch>(output_, values, tape.dropped, out);
  }

  /// Adds the gradients of the parameters, unless there are none, and to d_x [B, H] the gradient at the input.  d_out
  /// [B, outputs]
  void backward(const ParameterBlock& values, const HeadTape& tape, ConstView d_out, Gradients* gradients, View d_x,
                const Workers& workers) const {
    Matrix &d_last = tape.scratch.d_last, &d_first = tape.scratch.d_first;
    TransposedWeight& transposed = tape.scratch.transposed;
    const auto through = [&](const Linear& layer, ConstView input, ConstView d_y, Matrix& d) {
      if (gradients)
        for (index_t task = 0; task < gradient_tasks(layer); ++task)
          add_linear_gradient<Arch>(layer, input, d_y, *gradients, task, tape.scratch.gradient);
      transposed.assign<Arch>(layer, values, workers);
      d.resize(input.rows(), layer.inputs);
      linear_backward<Arch>(layer, transposed, d_y, kernel::Store{d});
    };
    through(output_, options_.hidden_layer ? tape.dropped : tape.input, d_out, d_last);
    if (options_.hidden_layer) {
      undrop(d_last, 1, tape.row_keys);
      for (index_t b = 0; b < d_last.rows(); ++b)
        for (index_t c = 0; c < d_last.cols(); ++c) d_last(b, c) *= slope(tape.hidden(b, c));
      through(dense_, tape.input, d_last, d_first);
      std::swap(d_last, d_first);
    }
    undrop(d_last, 0, tape.row_keys);
    add_rows(d_last, d_x);
  }

 protected:
  /// Of the activation, where it gave y.
  float slope(float y) const {
    if (options_.activation == HeadActivation::relu) return y > 0 ? 1.0f : 0.0f;
    return 1 - y * y;
  }
  void assign_keys(index_t rows, const std::optional<Rng>& dropout, index_t first_example,
                   std::vector<std::uint64_t>& keys) const {
    keys.clear();
    if (!dropout || options_.dropout <= 0) return;
    for (index_t i = 0; i < rows; ++i)
      keys.push_back(dropout->fork(static_cast<std::uint64_t>(first_example + i))
                         .fork(static_cast<std::uint64_t>(output_.weight))
                         .key());
  }
  Dropout dropout(const std::vector<std::uint64_t>& keys, std::uint64_t site) const {
    return Dropout{keys.empty() ? 0 : options_.dropout, 0, keys.data()}.at_site(site);
  }
  void drop(ConstView from, std::uint64_t site, const std::vector<std::uint64_t>& keys, Matrix& to) const {
    to.resize(from.rows(), from.cols());
    if (const Dropout mask = dropout(keys, site); mask.active()) return kernel::apply_dropout<Arch>(from, mask, to);
    copy(from, to);
  }
  void undrop(Matrix& d, std::uint64_t site, const std::vector<std::uint64_t>& keys) const {
    if (const Dropout mask = dropout(keys, site); mask.active()) kernel::apply_dropout<Arch>(d, mask, d);
  }

  HeadOptions options_;
  Linear dense_, output_;
};

using MlpHead = BasicMlpHead<>;

/// Whether a head computes what BasicMlpHead does, so that other programs may take its layers for such.
template <class H>
inline constexpr bool is_mlp_head = false;
template <class Arch>
inline constexpr bool is_mlp_head<BasicMlpHead<Arch>> = true;

}  // namespace knnbert::inline v0_1
