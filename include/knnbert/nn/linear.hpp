#pragma once
#include "knnbert/core/gradients.hpp"
#include "knnbert/core/parallel.hpp"
#include "knnbert/kernel/epilogue.hpp"
#include "knnbert/kernel/product.hpp"
#include "knnbert/kernel/transpose.hpp"

namespace knnbert {

/// y = x W^T + b with W [outputs, inputs]: the numbers of its parameters in a table.
struct Linear {
  index_t inputs = 0, outputs = 0, weight = -1, bias = -1;

  static Linear declare(ParameterTable& table, const std::string& name, index_t outputs, index_t inputs) {
    return {inputs, outputs, table.add_weight(name + ".weight", outputs, inputs), table.add_vector(name + ".bias", outputs)};
  }
};

/// epilogue(m, n, (x W^T)(m, n)); the bias is the epilogue's.  x [M, inputs]
template <class Arch, class Epilogue>
  requires requires(const Epilogue& e) { e.prefetch(0, 0); }
void linear(const Linear& layer, const ParameterBlock& values, ConstView x, const Epilogue& epilogue) {
  KNNBERT_ASSERT(x.cols() == layer.inputs);
  kernel::product<Arch>(x, values.slice(layer.weight), layer.outputs, epilogue);
}

/// y = x W^T + b.  x [M, inputs], y [M, outputs]
template <class Arch>
void linear(const Linear& layer, const ParameterBlock& values, ConstView x, View y) {
  linear<Arch>(layer, values, x, kernel::AddBias<Arch>{y, values.slice(layer.bias)});
}

/// The transpose of a layer's weight, by which gradients flow to its input.
class TransposedWeight {
 public:
  /// Splits the work over output panels among the workers.
  template <class Arch>
  void assign(const Linear& layer, const ParameterBlock& values, const Workers& workers) {
    constexpr index_t group = 8;
    const index_t panels = round_up(layer.inputs, panel_width) / panel_width;
    panels_.reserve(panels * panel_width * layer.outputs);
    workers.for_each((panels + group - 1) / group, [&](index_t task, index_t) {
      kernel::transpose_panels<Arch>(values.slice(layer.weight), layer.outputs, layer.inputs, panels_.data(), task * group,
                                     std::min(panels, (task + 1) * group));
    });
  }
  const float* panels() const { return panels_.data(); }

 private:
  AlignedBuffer<float> panels_;
};

/// epilogue(m, k, (d_y W)(m, k)).  d_y [M, outputs]
template <class Arch, class Epilogue>
void linear_backward(const Linear& layer, const TransposedWeight& transposed, ConstView d_y, const Epilogue& epilogue) {
  KNNBERT_ASSERT(d_y.cols() == layer.outputs);
  kernel::product<Arch>(d_y, transposed.panels(), layer.inputs, epilogue);
}

/// Output panels that one task of a parameter gradient computes; fixed, so that results do not depend on threads.
inline constexpr index_t gradient_panels = 8;

inline index_t gradient_tasks(const Linear& layer) {
  return (round_up(layer.outputs, panel_width) / panel_width + gradient_panels - 1) / gradient_panels;
}

/// Adds task `task` of d_y^T x and of the column sums of d_y to the layer's gradients.
/// x [M, inputs], d_y [M, outputs]; scratch grows to M * 32 floats.
template <class Arch>
void add_linear_gradient(const Linear& layer, ConstView x, ConstView d_y, Gradients& gradients, index_t task, AlignedBuffer<float>& scratch) {
  const index_t panels = round_up(layer.outputs, panel_width) / panel_width;
  const index_t first = task * gradient_panels, last = std::min(panels, first + gradient_panels);
  scratch.reserve(d_y.rows() * 2 * panel_width);
  kernel::add_weight_gradient<Arch>(x, d_y, gradients.slice(layer.weight), first, last, scratch.data());
  kernel::add_column_sums(d_y, gradients.slice(layer.bias), first * panel_width, std::min(layer.outputs, last * panel_width));
}

/// Gain and bias of a layer normalization.
struct Norm {
  index_t width = 0, gain = -1, bias = -1;
  float epsilon = 1e-12f;

  static Norm declare(ParameterTable& table, const std::string& name, index_t width, float epsilon) {
    return {width, table.add_vector(name + ".weight", width), table.add_vector(name + ".bias", width), epsilon};
  }
};

}  // namespace knnbert
