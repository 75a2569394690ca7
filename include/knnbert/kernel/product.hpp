#pragma once
#include "knnbert/kernel/matrix_tile.hpp"

/// Products of activations [M, K] with weights in panels [N / 16][K][16].
namespace knnbert::inline v0_1::kernel {

namespace detail {

/// Bytes of the left factor that stay in the second-level cache while all panels pass by.
inline constexpr index_t left_block_bytes = index_t{256} << 10;

template <class Arch>
index_t rows_per_block(index_t rows, index_t depth) {
  const index_t most = std::max<index_t>(tile_rows<Arch>, left_block_bytes / (depth * index_t{sizeof(float)}));
  const index_t blocks = (rows + most - 1) / most;
  return round_up((rows + blocks - 1) / blocks, tile_rows<Arch>);
}

/// Columns [column, column + width) of the output, width at most tile_columns, rows [first, last).
template <class Arch, class Dot, class Epilogue>
void product_columns(ConstView a, index_t first, index_t last, const float* panels, index_t column, index_t width,
                     const float* next, const Epilogue& epilogue) {
  const index_t depth = a.cols(), panel = column / panel_width;
  const float* start = panels + panel * depth * panel_width + column % panel_width;
  const index_t vector = lanes<Arch> == panel_width ? depth * panel_width : lanes<Arch>;
  index_t tiles_done = 0;
  for_each_row_tile<Arch>(first, last, [&](index_t row, index_t height) {
    const LeftFactor left{a.data() + row * a.stride(), a.stride(), 1};
    const RightFactor right{start, panel_width, vector};
    // The first row tiles of a column each fetch one panel of the next column, the others what lies behind their rows:
    // keys of a datastore come from memory.
    const float* ahead =
        tiles_done < width / panel_width ? next + tiles_done * depth * panel_width : left.data + height * left.row;
    ++tiles_done;
    if (width == tile_columns<Arch>)
      return run_tile<Arch, tile_vectors, Dot>(height, left, right, depth, row, column, epilogue, {ahead});
    run_tile<Arch, 1, Dot>(height, left, right, depth, row, column, epilogue, {ahead});
  });
}

template <class Arch, class Dot, class Epilogue>
void product(ConstView a, const float* panels, index_t columns, const Epilogue& epilogue, index_t first_column) {
  const index_t padded = round_up(columns, panel_width), depth = a.cols();
  const index_t block = detail::rows_per_block<Arch>(a.rows(), depth);
  for (index_t first = 0; first < a.rows(); first += block) {
    const index_t last = std::min(a.rows(), first + block);
#if defined(__AMX_TILE__)
    if constexpr (Dot::matrix)
      if (depth % matrix_lanes == 0 && matrix_registers_permitted()) {
        detail::matrix_product<Arch, Dot>(a, first, last, panels, columns, epilogue, first_column);
        continue;
      }
#endif
    for (index_t n = first_column, width; n < padded; n += width) {
      width = padded - n >= tile_columns<Arch> ? tile_columns<Arch> : lanes<Arch>;
      const index_t next = n + width < padded ? (n + width) / panel_width * panel_width : first_column;
      detail::product_columns<Arch, Dot>(a, first, last, panels, n, width, panels + next * depth, epilogue);
    }
  }
}

}  // namespace detail

template <Precision P, class Epilogue>
struct WeightProduct;

/// epilogue(m, n, sum over k of a(m, k) * w(n, k)) for all rows of a and all n in [first_column, columns), by vectors
/// of columns; first_column begins a panel.
/// a [M, K]; panels: w [columns, K], zero-padded rows; K counts the lanes of Dot. The last vector may reach past
/// `columns`.
template <class Arch, class Dot = Fp32, class Epilogue>
void product(ConstView a, const float* panels, index_t columns, const Epilogue& epilogue, index_t first_column = 0) {
  if (a.rows() == 0) return;
  if constexpr (std::is_same_v<Arch, Dispatched>)
    return dispatch<WeightProduct<Dot::precision, Epilogue>>(a, panels, columns, epilogue, first_column);
  else detail::product<Arch, Dot>(a, panels, columns, epilogue, first_column);
}
template <Precision P, class Epilogue>
struct WeightProduct : Entry<void(ConstView, const float*, index_t, const Epilogue&, index_t)> {
  template <class Arch>
  static constexpr auto* function = &product<Arch, ProductsIn<P>, Epilogue>;
};

namespace detail {

struct AddToPanel {
  float* panels;
  index_t depth;
  float* at(index_t k, index_t n) const {
    return panels + (n / panel_width * depth + k) * panel_width + n % panel_width;
  }
  Touched touches(index_t k, index_t n) const { return {{at(k, n), panel_width}, {}}; }
  template <class Arch>
  auto column(index_t n) const {
    return [to = at(0, n)](index_t k, Floats<Arch> sum) KNNBERT_ALWAYS_INLINE_CALL {
      float* here = to + k * panel_width;
      store<Arch>(here, load<Arch>(here) + sum);
    };
  }
};

/// Columns [n, n + columns) of y side by side; columns past N are padding of the panel, whose gradient has to stay
/// zero.
inline void copy_columns(ConstView y, index_t n, index_t columns, index_t width, float* copy) {
  const index_t real = std::clamp<index_t>(y.cols() - n, 0, columns);
  for (index_t m = 0; m < y.rows(); ++m) {
    const float* from = y.data() + m * y.stride() + n;
    float* to = copy + m * width;
    if (real == 2 * panel_width) {  // a copy of known size is a few instructions, one of unknown size a call
      std::copy_n(from, 2 * panel_width, to);
      continue;
    }
    std::copy_n(from, real, to);
    std::fill(to + real, to + columns, 0.0f);
  }
}

template <class Arch, class Dot>
void add_weight_gradient(ConstView x, ConstView y, float* d_panels, index_t first, index_t last, float* copy) {
  constexpr index_t width = std::max(tile_columns<Arch>, panel_width);
  const index_t depth = x.cols();
  const AddToPanel epilogue{d_panels, depth};
#if defined(__AMX_TILE__)
  if constexpr (Dot::matrix)
    if (y.cols() % panel_width == 0 && matrix_registers_permitted())
      return add_matrix_weight_gradient<Arch, Dot>(x, y, epilogue, first, last, copy);
#endif
  for (index_t n = first * panel_width; n < last * panel_width; n += width) {
    const index_t columns = std::min(width, last * panel_width - n);
    copy_columns(y, n, columns, width, copy);
    for_each_row_tile<Arch>(0, depth, [&](index_t k, index_t height) {
      const LeftFactor left{x.data() + k, 1, x.stride()};
      // the columns of the next tile
      const Ahead ahead{x.data() + std::min(k + height, depth - 1) + height - 1, x.stride()};
      index_t j = 0;
      for (; j + tile_columns<Arch> <= columns; j += tile_columns<Arch>)
        run_tile<Arch, tile_vectors, Dot>(height, left, {copy + j, width, lanes<Arch>}, y.rows(), k, n + j, epilogue,
                                          ahead);
      for (; j < columns; j += lanes<Arch>)
        run_tile<Arch, 1, Dot>(height, left, {copy + j, width, lanes<Arch>}, y.rows(), k, n + j, epilogue, ahead);
    });
  }
}

}  // namespace detail

template <Precision P>
struct AddWeightGradient;

/// Floats of scratch that add_weight_gradient() wants for factors of so many rows.
constexpr index_t weight_gradient_scratch(index_t rows) {
  return (padded_stride(rows) + panel_width) * 2 * panel_width;
}

/// Adds y^T x to a weight gradient in panels, for output panels [first, last) only, so that threads divide the work;
/// every element sums all rows of the batch in order.  x [M, K], y [M, N], d_panels [N / 16][K][16];
/// copy: see weight_gradient_scratch(). With Bf16 both factors are lanes of two rows, see pair_rows.
template <class Arch, class Dot = Fp32>
void add_weight_gradient(ConstView x, ConstView y, float* d_panels, index_t first, index_t last, float* copy) {
  if constexpr (std::is_same_v<Arch, Dispatched>)
    return dispatch<AddWeightGradient<Dot::precision>>(x, y, d_panels, first, last, copy);
  else detail::add_weight_gradient<Arch, Dot>(x, y, d_panels, first, last, copy);
}
template <Precision P>
struct AddWeightGradient : Entry<void(ConstView, ConstView, float*, index_t, index_t, float*)> {
  template <class Arch>
  static constexpr auto* function = &add_weight_gradient<Arch, ProductsIn<P>>;
};

/// Adds the column sums of y [M, N] to d_bias, columns [first, last): every sum in the order of the rows.
template <class Arch>
void add_column_sums(ConstView y, float* d_bias, index_t first, index_t last) {
  for (index_t m = 0; m < y.rows(); ++m)
    for (index_t n = first; n < last; ++n) d_bias[n] += y.data()[m * y.stride() + n];
}
struct AddColumnSums : Entry<void(ConstView, float*, index_t, index_t)> {
  template <class Arch>
  static constexpr type* function = add_column_sums<Arch>;
};
template <>
inline void add_column_sums<Dispatched>(ConstView y, float* d_bias, index_t first, index_t last) {
  dispatch<AddColumnSums>(y, d_bias, first, last);
}

}  // namespace knnbert::inline v0_1::kernel
