#pragma once
#include <array>

#include "knnbert/nn/head.hpp"
#include "knnbert/torch/floats.hpp"
#include "knnbert/torch/rows.hpp"

namespace knnbert::inline v0_1 {

/// What a head on a device keeps for its backward pass.
struct TorchHeadTape {
  at::Tensor input, hidden, dropped;  // [B, H] after the first dropout, after the activation, after the second dropout
  std::array<at::Tensor, 2> factors;  // of either dropout, [B, H]; undefined without it
  std::vector<std::uint64_t> row_keys;
  Matrix ones, scratch;
};

/// BasicMlpHead over parameters on a device. Rows come and go as they lie: those on the device do not cross; the masks
/// of dropout are those of BasicMlpHead and made in main memory. Always fp32.
template <class Arch = DefaultArch>
class TorchMlpHead : public BasicMlpHead<Arch> {
  using Base = BasicMlpHead<Arch>;

 public:
  using tape_type = TorchHeadTape;

  static TorchMlpHead declare(ParameterTable& table, const std::string& name, index_t inputs,
                              const HeadOptions& options) {
    TorchMlpHead head;
    static_cast<Base&>(head) = Base::declare(table, name, inputs, options);
    return head;
  }

  /// See BasicMlpHead.  Errors: OptionError for a block that is on no device; DeviceMemoryError.
  void forward(const ParameterBlock& values, const TorchInput& x, const std::optional<Rng>& dropout,
               index_t first_example, TorchHeadTape& tape, TorchRows& out) const {
    out.assign(run(values, x, dropout, first_example, tape));
  }
  void forward(const ParameterBlock& values, const TorchInput& x, const std::optional<Rng>& dropout,
               index_t first_example, TorchHeadTape& tape, View out) const {
    const at::Tensor rows = run(values, x, dropout, first_example, tape);
    detail::guarded("TorchMlpHead::forward", [&] { detail::to_host(rows, out); });
  }

  /// See BasicMlpHead.  Errors: as forward().
  void backward(const ParameterBlock& values, const TorchHeadTape& tape, const TorchInput& d_out, Gradients* gradients,
                TorchRows& d_x, const Workers&) const {
    const at::Tensor d = pull(values, tape, d_out, gradients);
    detail::guarded("TorchMlpHead::backward", [&] { d_x.add(d); });
  }
  void backward(const ParameterBlock& values, const TorchHeadTape& tape, const TorchInput& d_out, Gradients* gradients,
                View d_x, const Workers&) const {
    const at::Tensor d = pull(values, tape, d_out, gradients);
    detail::guarded("TorchMlpHead::backward", [&] { detail::to_host(d + detail::to_device(d_x, d.device()), d_x); });
  }

 private:
  bool rectifies() const { return this->options_.activation == HeadActivation::relu; }
  static const TorchFloats& floats_of(const ParameterBlock& values) {
    if (!values.mirrored())
      raise<OptionError>(
          "TorchMlpHead: parameters in main memory given, on a device expected: see TorchBert::to_device");
    return dynamic_cast<const TorchFloats&>(values.mirror());
  }
  static at::Tensor apply(const Linear& layer, const TorchFloats& floats, const ParameterTable& table,
                          const at::Tensor& x) {
    return at::linear(x, detail::parameter_view(floats.floats(), table[layer.weight]),
                      detail::parameter_view(floats.floats(), table[layer.bias]));
  }

  at::Tensor drop(const at::Tensor& x, std::size_t site, TorchHeadTape& tape) const {
    tape.factors[site] = at::Tensor();
    const Dropout mask = this->dropout(tape.row_keys, site);
    if (!mask.active()) return x;
    tape.ones.resize(x.size(0), x.size(1));
    tape.ones.fill(1);
    tape.scratch.resize(x.size(0), x.size(1));
    kernel::apply_dropout<Arch>(tape.ones, mask, tape.scratch);
    tape.factors[site] = detail::to_device(tape.scratch, x.device());
    return x * tape.factors[site];
  }

  at::Tensor run(const ParameterBlock& values, const TorchInput& x, const std::optional<Rng>& dropout,
                 index_t first_example, TorchHeadTape& tape) const {
    const TorchFloats& floats = floats_of(values);
    this->assign_keys(x.rows(), dropout, first_example, tape.row_keys);
    return detail::guarded("TorchMlpHead::forward", [&] {
      const c10::NoGradGuard no_graph;
      tape.input = drop(x.on(floats.device()), 0, tape);
      if (!this->options_.hidden_layer) return apply(this->output_, floats, values.table(), tape.input);
      const at::Tensor dense = apply(this->dense_, floats, values.table(), tape.input);
      tape.hidden = rectifies() ? at::relu(dense) : at::tanh(dense);
      tape.dropped = drop(tape.hidden, 1, tape);
      return apply(this->output_, floats, values.table(), tape.dropped);
    });
  }

  /// Adds the gradients of the parameters, unless there are none; returns the one at the input.
  at::Tensor pull(const ParameterBlock& values, const TorchHeadTape& tape, const TorchInput& d_out,
                  Gradients* gradients) const {
    const TorchFloats& floats = floats_of(values);
    const ParameterTable& table = values.table();
    return detail::guarded("TorchMlpHead::backward", [&] {
      const c10::NoGradGuard no_graph;
      const at::Tensor flat =
          gradients ? detail::on_device_to_write(gradients->block(), floats.device()).floats() : at::Tensor();
      const auto through = [&](const Linear& layer, const at::Tensor& input, const at::Tensor& d_y) {
        if (gradients) {
          detail::parameter_view(flat, table[layer.weight]).addmm_(d_y.t(), input);
          detail::parameter_view(flat, table[layer.bias]).add_(d_y.sum(0));
        }
        return at::mm(d_y, detail::parameter_view(floats.floats(), table[layer.weight]));
      };
      const auto undrop = [&](const at::Tensor& d, std::size_t site) {
        return tape.factors[site].defined() ? d * tape.factors[site] : d;
      };
      at::Tensor d =
          through(this->output_, this->options_.hidden_layer ? tape.dropped : tape.input, d_out.on(floats.device()));
      if (this->options_.hidden_layer) {
        const at::Tensor slope = rectifies() ? (tape.hidden > 0).to(at::kFloat) : 1 - tape.hidden.square();
        d = through(this->dense_, tape.input, undrop(d, 1) * slope);
      }
      return undrop(d, 0);
    });
  }
};

}  // namespace knnbert::inline v0_1
