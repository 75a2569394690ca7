#pragma once
#include <algorithm>

#include "knnbert/kernel/matrix_registers.hpp"
#include "knnbert/kernel/precision.hpp"
#include "knnbert/kernel/tile.hpp"
#include "knnbert/kernel/transpose.hpp"

/// Products by the processor's matrix registers (AMX). A tile of weights is one contiguous kilobyte of a panel, a tile
/// of activations is read in place: nothing is packed for them either.
/// Worth on such a processor: products in bf16 and int8 take a fifth of the time of vector registers.
namespace knnbert::inline v0_1::kernel {

#if defined(__AMX_TILE__)

namespace detail {

/// A block of one or two registers of rows by one or two of columns.
template <class Dot, bool Lower, bool Second>
struct MatrixBlock {
  static KNNBERT_ALWAYS_INLINE void clear() {
    clear_matrix<0>();
    if constexpr (Second) clear_matrix<1>();
    if constexpr (Lower) clear_matrix<2>();
    if constexpr (Lower && Second) clear_matrix<3>();
  }
  /// Adds the products of `depth` lanes, a multiple of 16; between() runs after each 16, on units that would wait.
  template <class Between>
  static KNNBERT_ALWAYS_INLINE void add(LeftFactor a, index_t upper, RightFactor b, index_t depth, Between&& between) {
    for (index_t k = 0; k < depth; k += matrix_lanes) {
      load_matrix<4>(a.data + k, a.row);
      load_matrix<6>(b.data + k * b.step, b.step);
      multiply_matrices<Dot, 0, 4, 6>();
      if constexpr (Second) {
        load_matrix<7>(b.data + b.vector + k * b.step, b.step);
        multiply_matrices<Dot, 1, 4, 7>();
      }
      if constexpr (Lower) {
        load_matrix<5>(a.data + upper * a.row + k, a.row);
        multiply_matrices<Dot, 2, 5, 6>();
        if constexpr (Second) multiply_matrices<Dot, 3, 5, 7>();
      }
      between();
    }
  }
  static KNNBERT_ALWAYS_INLINE void store(index_t upper, TileSums out) {
    store_matrix<0>(out.data, out.stride);
    if constexpr (Second) store_matrix<1>(out.data + panel_width, out.stride);
    if constexpr (Lower) store_matrix<2>(out.data + upper * out.stride, out.stride);
    if constexpr (Lower && Second) store_matrix<3>(out.data + upper * out.stride + panel_width, out.stride);
  }
};

/// f(MatrixBlock) for a number of rows and columns.
template <class Dot, class F>
KNNBERT_ALWAYS_INLINE void with_matrix_block(bool lower, bool second, F&& f) {
  if (lower && second) f(MatrixBlock<Dot, true, true>());
  else if (lower) f(MatrixBlock<Dot, true, false>());
  else if (second) f(MatrixBlock<Dot, false, true>());
  else f(MatrixBlock<Dot, false, false>());
}

/// Rows in blocks of one height, so that the registers keep their shape: the last block begins early and computes some
/// rows again, whose sums are left out.
struct MatrixRows {
  index_t first, last, height, upper;

  MatrixRows(index_t first_row, index_t last_row) : first(first_row), last(last_row) {
    constexpr index_t most = 2 * matrix_lanes;
    const index_t rows = last - first, blocks = (rows + most - 1) / most;
    height = (rows + blocks - 1) / blocks;
    upper = height > matrix_lanes ? (height + 1) / 2 : height;
  }
  index_t lower() const { return height - upper; }
  /// f(row, skipped): a block of `height` rows at `row`, of which the first `skipped` were done before
  template <class F>
  KNNBERT_ALWAYS_INLINE void for_each(F&& f) const {
    for (index_t done = first; done < last; done += height) {
      const index_t row = std::min(done, last - height);
      f(row, done - row);
    }
  }
};

/// The end of a block's work, done a few rows at a time while the matrix registers sum up the next block: half of the
/// time of an epilogue disappears there.
template <class Arch, class Epilogue>
class LateEpilogue {
 public:
  explicit LateEpilogue(const Epilogue& epilogue) : epilogue_(epilogue) {}
  ~LateEpilogue() { finish(rows_ - done_); }
  LateEpilogue(const LateEpilogue&) = delete;
  LateEpilogue& operator=(const LateEpilogue&) = delete;

  /// One block at output position (row, column): add(block, between) sums it up in `steps` steps.
  template <class Block, class Add>
  KNNBERT_ALWAYS_INLINE void run(Block block, const MatrixRows& rows, index_t row, index_t skipped, index_t column,
                                 index_t width, index_t steps, Add&& add) {
    block.clear();
    if constexpr (requires { epilogue_.whole(row, column); }) {
      add(block, [] {});
      block.store(rows.upper, epilogue_.whole(row, column));
    } else {
      fetch(rows, row, skipped, column, width);
      const index_t rows_a_step = (rows_ + steps - 1) / steps;
      add(block, [&] { finish(std::min(rows_a_step, rows_ - done_)); });
      finish(rows_ - done_);
      now_ = 1 - now_;
      block.store(rows.upper, {sums_[now_], stride});
      row_ = row, column_ = column, width_ = width, done_ = skipped, rows_ = rows.height;
    }
  }

 private:
  static constexpr index_t stride = 2 * panel_width;
  static_assert(stride == tile_columns<Arch>);

  /// These lines arrive while the registers multiply.
  KNNBERT_ALWAYS_INLINE void fetch(const MatrixRows& rows, index_t row, index_t skipped, index_t column,
                                   index_t width) const {
    const Touched touched = epilogue_.touches(row, column);
    for (index_t i = skipped; i < rows.height; ++i)
      for (index_t j = 0; j < width; j += panel_width) {
        if (touched.written.data) __builtin_prefetch(touched.written.data + i * touched.written.stride + j, 1);
        if (touched.read.data) __builtin_prefetch(touched.read.data + i * touched.read.stride + j);
      }
  }
  KNNBERT_ALWAYS_INLINE void finish(index_t count) {
    if (count <= 0) return;
    finish_tile<Arch>(sums_[now_] + done_ * stride, count, width_, row_ + done_, column_, epilogue_);
    done_ += count;
  }

  const Epilogue& epilogue_;
  index_t row_ = 0, column_ = 0, width_ = 0, done_ = 0, rows_ = 0;  // the block that waits, and its rows that are done
  int now_ = 0;
  alignas(64) float sums_[2][2 * matrix_lanes * stride];
};

/// As product() for rows [first, last) and a depth that is a multiple of 16 lanes.
template <class Arch, class Dot, class Epilogue>
void matrix_product(ConstView a, index_t first, index_t last, const float* panels, index_t columns,
                    const Epilogue& epilogue, index_t first_column) {
  const index_t padded = round_up(columns, panel_width), depth = a.cols();
  const MatrixRows rows(first, last);
  const MatrixRegisters registers(rows.upper, rows.lower());
  LateEpilogue<Arch, Epilogue> late(epilogue);
  for (index_t n = first_column, width; n < padded; n += width) {
    width = std::min(2 * panel_width, padded - n);
    const RightFactor right{panels + n * depth, panel_width, depth * panel_width};
    with_matrix_block<Dot>(rows.lower() > 0, width > panel_width, [&](auto block) {
      rows.for_each([&](index_t row, index_t skipped) {
        const LeftFactor left{a.data() + row * a.stride(), a.stride(), 1};
        late.run(block, rows, row, skipped, n, width, depth / matrix_lanes,
                 [&](auto b, auto&& between) { b.add(left, rows.upper, right, depth, between); });
      });
    });
  }
}

/// Columns [column, column + count) of x [M, K] as rows of their own, to [count, 16 * ceil(M / 16)]: zeros behind the
/// last.
template <class Arch>
void columns_as_rows(ConstView x, index_t column, index_t count, View to) {
  for (index_t m = 0; m < to.cols(); m += matrix_lanes) {
    const index_t real = std::min(matrix_lanes, x.rows() - m);
    transpose<Arch>(ConstView(x.data() + m * x.stride() + column, real, count, x.stride()),
                    View(to.data() + m, count, real, to.stride()));
    for (index_t i = 0; i < count && real < matrix_lanes; ++i)
      std::fill_n(to.data() + i * to.stride() + m + real, matrix_lanes - real, 0.0f);
  }
}

/// As add_weight_gradient() for y without columns of padding; each column of x is transposed once, as the registers
/// read rows along the reduction.
template <class Arch, class Dot, class Epilogue>
void add_matrix_weight_gradient(ConstView x, ConstView y, const Epilogue& epilogue, index_t first, index_t last,
                                float* scratch) {
  const index_t pairs = x.rows(), whole = pairs / matrix_lanes * matrix_lanes, padded = round_up(pairs, matrix_lanes);
  const View left(scratch, 2 * matrix_lanes, padded, padded_stride(padded));
  float* tail = scratch + left.rows() * left.stride();  // the last rows of y, completed with zeros
  const MatrixRows rows(0, x.cols());
  const MatrixRegisters registers(rows.upper, rows.lower());
  LateEpilogue<Arch, Epilogue> late(epilogue);
  rows.for_each([&](index_t k, index_t skipped) {
    columns_as_rows<Arch>(x, k, rows.height, left);
    const LeftFactor a{left.data(), left.stride(), 1};
    for (index_t n = first * panel_width, width; n < last * panel_width; n += width) {
      width = std::min(2 * panel_width, last * panel_width - n);
      std::fill_n(tail, matrix_lanes * 2 * panel_width, 0.0f);
      for (index_t m = whole; m < pairs; ++m)
        std::copy_n(y.data() + m * y.stride() + n, width, tail + (m - whole) * 2 * panel_width);
      with_matrix_block<Dot>(rows.lower() > 0, width > panel_width, [&](auto block) {
        late.run(block, rows, k, skipped, n, width, padded / matrix_lanes, [&](auto b, auto&& between) {
          b.add(a, rows.upper, {y.data() + n, y.stride(), panel_width}, whole, between);
          if (whole < pairs)
            b.add({a.data + whole, a.row, 1}, rows.upper, {tail, 2 * panel_width, panel_width}, matrix_lanes, between);
        });
      });
    }
  });
}

}  // namespace detail

#endif

}  // namespace knnbert::inline v0_1::kernel
