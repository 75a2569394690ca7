#pragma once
#include "knnbert/core/gradients.hpp"
#include "knnbert/core/parallel.hpp"
#include "knnbert/kernel/epilogue.hpp"
#include "knnbert/kernel/lower_panels.hpp"
#include "knnbert/kernel/product.hpp"
#include "knnbert/kernel/transpose.hpp"

namespace knnbert::inline v0_1 {

/// y = x W^T + b with W [outputs, inputs]: the numbers of its parameters in a table.
struct Linear {
  index_t inputs = 0, outputs = 0, weight = -1, bias = -1;

  static Linear declare(ParameterTable& table, const std::string& name, index_t outputs, index_t inputs) {
    return {inputs, outputs, table.add_weight(name + ".weight", outputs, inputs),
            table.add_vector(name + ".bias", outputs)};
  }
};

/// epilogue(m, n, (x W^T)(m, n)); the bias is the epilogue's.  x [M, inputs]
template <class Arch, class Epilogue>
  requires(!std::convertible_to<Epilogue, View>)
void linear(const Linear& layer, const ParameterBlock& values, ConstView x, const Epilogue& epilogue) {
  KNNBERT_ASSERT(x.cols() == layer.inputs);
  kernel::product<Arch>(x, values.slice(layer.weight), layer.outputs, epilogue);
}

/// y = x W^T + b.  x [M, inputs], y [M, outputs]
template <class Arch>
void linear(const Linear& layer, const ParameterBlock& values, ConstView x, View y) {
  linear<Arch>(layer, values, x, kernel::AddBias{y, values.slice(layer.bias)});
}

/// f(first, count) for nearly equal slices of [0, size), one for a single worker, else two a worker; a slice is a
/// multiple of `unit`, but for the last.
template <class F>
void each_slice(index_t size, index_t unit, const Workers& workers, F&& f) {
  if (workers.size() == 1) return f(index_t{0}, size);
  const index_t units = (size + unit - 1) / unit, parts = std::min(units, 2 * workers.size());
  workers.for_each(parts, [&](index_t part, index_t) {
    const index_t first = units * part / parts * unit, last = std::min(size, units * (part + 1) / parts * unit);
    f(first, last - first);
  });
}

namespace detail {

/// The product of rows and a layer's panels by outputs, which workers divide.
template <class Arch, class Products, class Epilogue>
void product_by_workers(const Linear& layer, ConstView left, const float* panels, const Epilogue& epilogue,
                        const Workers& workers) {
  each_slice(layer.outputs, 2 * panel_width, workers, [&](index_t first, index_t count) {
    kernel::product<Arch, Products>(left, panels, first + count, epilogue, first);
  });
}

}  // namespace detail

/// x in reduced precision, in `rows`; workers divide its rows.
template <class Arch, class Products>
kernel::LoweredFactor lower_factor(ConstView x, kernel::LoweredRows& rows, const Workers& workers) {
  rows.resize<Products>(x);
  each_slice(x.rows(), 8, workers,
             [&](index_t first, index_t count) { rows.assign_rows<Arch, Products>(x, first, count); });
  return rows.factor();
}

/// epilogue(m, n, (x W^T)(m, n)) with the weight's lowered form; workers divide the outputs.
template <class Arch, class Products, class Epilogue>
void lowered_linear(const Linear& layer, const ParameterBlock& values, kernel::LoweredFactor x,
                    const Epilogue& epilogue, const Workers& workers) {
  KNNBERT_ASSERT(x.lanes.cols() == kernel::lanes_of<Products>(layer.inputs));
  const LoweredWeight& w = values.lowered(layer.weight);
  if constexpr (Products::precision == Precision::int8)
    detail::product_by_workers<Arch, Products>(
        layer, x.lanes, w.panels.data(),
        kernel::Dequantize<Epilogue>{epilogue, x.meanings, w.scales.data(), w.sums.data()}, workers);
  else detail::product_by_workers<Arch, Products>(layer, x.lanes, w.panels.data(), epilogue, workers);
}

/// The same in the precision that the block was lowered to, if it was.  x [M, inputs]; rows: scratch
template <class Arch, class Precisions, class Epilogue>
void linear(const Linear& layer, const ParameterBlock& values, ConstView x, const Epilogue& epilogue,
            kernel::LoweredRows& rows, const Workers& workers) {
  Precisions::with(values.precision(), [&](auto dot) {
    using Products = decltype(dot);
    if constexpr (Products::precision == Precision::fp32)
      detail::product_by_workers<Arch, Products>(layer, x, values.slice(layer.weight), epilogue, workers);
    else
      lowered_linear<Arch, Products>(layer, values, lower_factor<Arch, Products>(x, rows, workers),
                                     kernel::coarse<Products::precision>(epilogue), workers);
  });
}

/// Lowers a weight [outputs, inputs] given in panels; workers divide the panels.
template <class Arch, class Dot>
void lower_weight(const float* panels, index_t outputs, index_t inputs, LoweredWeight& to, const Workers& workers) {
  constexpr index_t group = 8;
  const index_t count = round_up(outputs, panel_width) / panel_width;
  to.panels.reserve(count * panel_width * kernel::lanes_of<Dot>(inputs));
  if constexpr (Dot::precision == Precision::int8) {
    to.scales.reserve(count * panel_width);
    to.sums.reserve(count * panel_width);
  }
  workers.for_each((count + group - 1) / group, [&](index_t task, index_t) {
    kernel::lower_panels<Arch, Dot>(panels, inputs, task * group, std::min(count, (task + 1) * group), to);
  });
}

/// The transpose of a layer's weight, by which gradients flow to its input, in fp32 or bf16.
class TransposedWeight {
 public:
  /// Splits the work over output panels among the workers.
  template <class Arch, class Precisions = OnlyFp32>
  void assign(const Linear& layer, const ParameterBlock& values, const Workers& workers,
              Precision precision = Precision::fp32) {
    constexpr index_t group = 8;
    const index_t panels = round_up(layer.inputs, panel_width) / panel_width;
    panels_.reserve(panels * panel_width * layer.outputs);
    workers.for_each((panels + group - 1) / group, [&](index_t task, index_t) {
      kernel::transpose_panels<Arch>(values.slice(layer.weight), layer.outputs, layer.inputs, panels_.data(),
                                     task * group, std::min(panels, (task + 1) * group));
    });
    precision_ = precision;
    Precisions::with(precision, [&](auto dot) {
      if constexpr (decltype(dot)::precision == Precision::bf16)
        lower_weight<Arch, decltype(dot)>(panels_.data(), layer.inputs, layer.outputs, lowered_, workers);
    });
  }
  Precision precision() const { return precision_; }
  const float* panels() const { return precision_ == Precision::bf16 ? lowered_.panels.data() : panels_.data(); }

 private:
  AlignedBuffer<float> panels_;
  LoweredWeight lowered_;
  Precision precision_ = Precision::fp32;
};

/// epilogue(m, k, (d_y W)(m, k)).  d_y [M, outputs]; rows: scratch
template <class Arch, class Precisions = OnlyFp32, class Epilogue>
void linear_backward(const Linear& layer, const TransposedWeight& transposed, ConstView d_y, const Epilogue& epilogue,
                     kernel::LoweredRows& rows) {
  KNNBERT_ASSERT(d_y.cols() == layer.outputs);
  Precisions::with(transposed.precision(), [&](auto dot) {
    using Products = decltype(dot);
    if constexpr (Products::precision == Precision::fp32)
      kernel::product<Arch>(d_y, transposed.panels(), layer.inputs, epilogue);
    if constexpr (Products::precision == Precision::bf16) {
      rows.assign<Arch, Products>(d_y);
      kernel::product<Arch, Products>(rows.lanes(), transposed.panels(), layer.inputs, epilogue);
    }
  });
}

template <class Arch, class Epilogue>
void linear_backward(const Linear& layer, const TransposedWeight& transposed, ConstView d_y, const Epilogue& epilogue) {
  kernel::LoweredRows unused;
  linear_backward<Arch>(layer, transposed, d_y, epilogue, unused);
}

/// Output panels that one task of a parameter gradient computes; fixed, so that results do not depend on threads.
inline constexpr index_t gradient_panels = 8;

inline index_t gradient_tasks(const Linear& layer) {
  return (round_up(layer.outputs, panel_width) / panel_width + gradient_panels - 1) / gradient_panels;
}

/// Both factors of a weight gradient as lanes of two rows of bf16; grows only.
class PairedFactors {
 public:
  template <class Arch>
  void assign(ConstView x, ConstView d_y, const Workers& workers) {
    constexpr index_t group = 32;
    const index_t pairs = (x.rows() + 1) / 2;
    x_.resize(pairs, x.cols());
    d_y_.resize(pairs, d_y.cols());
    workers.for_each((pairs + group - 1) / group, [&](index_t task, index_t) {
      const index_t last = std::min(pairs, (task + 1) * group);
      kernel::pair_rows<Arch>(x, task * group, last, x_);
      kernel::pair_rows<Arch>(d_y, task * group, last, d_y_);
    });
  }
  ConstView x() const { return x_; }
  ConstView d_y() const { return d_y_; }

 private:
  Matrix x_, d_y_;
};

/// Adds task `task` of d_y^T x and of the column sums of d_y to the layer's gradients; the product in bf16 where
/// `paired` is given.  x [M, inputs], d_y [M, outputs]; scratch grows to 32 floats a row.
template <class Arch, class Dot = kernel::Fp32>
void add_linear_gradient(const Linear& layer, ConstView x, ConstView d_y, Gradients& gradients, index_t task,
                         AlignedBuffer<float>& scratch, const PairedFactors* paired = nullptr) {
  const index_t panels = round_up(layer.outputs, panel_width) / panel_width;
  const index_t first = task * gradient_panels, last = std::min(panels, first + gradient_panels);
  scratch.reserve(kernel::weight_gradient_scratch(d_y.rows()));
  float* d_weight = gradients.slice(layer.weight);
  if constexpr (Dot::precision == Precision::bf16)
    kernel::add_weight_gradient<Arch, Dot>(paired->x(), paired->d_y(), d_weight, first, last, scratch.data());
  else kernel::add_weight_gradient<Arch>(x, d_y, d_weight, first, last, scratch.data());
  kernel::add_column_sums<Arch>(d_y, gradients.slice(layer.bias), first * panel_width,
                                std::min(layer.outputs, last * panel_width));
}

/// Gain and bias of a layer normalization.
struct Norm {
  index_t width = 0, gain = -1, bias = -1;
  float epsilon = 1e-12f;

  static Norm declare(ParameterTable& table, const std::string& name, index_t width, float epsilon) {
    return {width, table.add_vector(name + ".weight", width), table.add_vector(name + ".bias", width), epsilon};
  }
};

}  // namespace knnbert::inline v0_1
