#pragma once
#include "knnbert/nn/head.hpp"
#include "knnbert/torch/floats.hpp"

namespace knnbert {

/// BasicMlpHead over parameters on a device: rows come from main memory and go back there, [B, H] each way; the masks of
/// dropout are those of BasicMlpHead. Always fp32.
template <class Arch = DefaultArch>
class TorchMlpHead : public BasicMlpHead<Arch> {
  using Base = BasicMlpHead<Arch>;

 public:
  static TorchMlpHead declare(ParameterTable& table, const std::string& name, index_t inputs, const HeadOptions& options) {
    TorchMlpHead head;
    static_cast<Base&>(head) = Base::declare(table, name, inputs, options);
    return head;
  }

  /// See BasicMlpHead.  Errors: OptionError for a block that is on no device; DeviceMemoryError.
  void forward(const ParameterBlock& values, ConstView x, const std::optional<Rng>& dropout, index_t first_example, HeadTape& tape, View out) const {
    const TorchFloats& floats = placed(values);
    this->assign_keys(x.rows(), dropout, first_example, tape.row_keys);
    this->drop(x, 0, tape, tape.input);
    detail::guarded("TorchMlpHead::forward", [&] {
      const c10::NoGradGuard no_graph;
      at::Tensor rows = detail::to_device(tape.input, floats.device());
      if (this->options_.hidden_layer) {
        rows = at::tanh(apply(this->dense_, floats, values.table(), rows));
        tape.hidden.resize(x.rows(), this->dense_.outputs);
        detail::to_host(rows, tape.hidden);
        this->drop(tape.hidden, 1, tape, tape.dropped);
        if (this->dropout(tape, 1).active()) rows = detail::to_device(tape.dropped, floats.device());
      }
      detail::to_host(apply(this->output_, floats, values.table(), rows), out);
    });
  }

  void backward(const ParameterBlock& values, HeadTape& tape, ConstView d_out, Gradients& gradients, View d_x, const Workers&) const {
    const TorchFloats& floats = placed(values);
    const at::Device device = floats.device();
    Matrix& d_last = tape.scratch.d_last;
    detail::guarded("TorchMlpHead::backward", [&] {
      const c10::NoGradGuard no_graph;
      const at::Tensor flat = detail::on_device_to_write(gradients.block(), device).floats();
      const auto through = [&](const Linear& layer, const Matrix& input, const at::Tensor& d_y) {
        const ParameterTable& table = values.table();
        detail::parameter_view(flat, table[layer.weight]).addmm_(d_y.t(), detail::to_device(input, device));
        detail::parameter_view(flat, table[layer.bias]).add_(d_y.sum(0));
        return at::mm(d_y, detail::parameter_view(floats.floats(), table[layer.weight]));
      };
      at::Tensor d = through(this->output_, this->options_.hidden_layer ? tape.dropped : tape.input, detail::to_device(d_out, device));
      d_last.resize(d_out.rows(), d.size(1));
      if (this->options_.hidden_layer) {
        if (this->dropout(tape, 1).active()) {
          detail::to_host(d, d_last);
          this->undrop(d_last, 1, tape);
          d = detail::to_device(d_last, device);
        }
        d = d * (1 - detail::to_device(tape.hidden, device).square());
        d = through(this->dense_, tape.input, d);
      }
      detail::to_host(d, d_last);
    });
    this->undrop(d_last, 0, tape);
    for (index_t b = 0; b < d_x.rows(); ++b)
      for (index_t c = 0; c < d_x.cols(); ++c) d_x(b, c) += d_last(b, c);
  }

 private:
  static const TorchFloats& placed(const ParameterBlock& values) {
    if (!values.mirrored()) raise<OptionError>("TorchMlpHead: parameters in main memory given, on a device expected: see TorchBert::place");
    return dynamic_cast<const TorchFloats&>(values.mirror());
  }
  static at::Tensor apply(const Linear& layer, const TorchFloats& floats, const ParameterTable& table, const at::Tensor& x) {
    return at::linear(x, detail::parameter_view(floats.floats(), table[layer.weight]), detail::parameter_view(floats.floats(), table[layer.bias]));
  }
};

}  // namespace knnbert
