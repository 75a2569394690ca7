#pragma once
#include <algorithm>
#include <utility>

#include "knnbert/core/matrix.hpp"
#include "knnbert/kernel/precision.hpp"

/// The register tile: the one inner loop behind every product of the library.
namespace knnbert::kernel {

/// Rows and vectors of the largest tile. The accumulators, the vectors of B and one broadcast of A fill the register
/// file: 14 x 2 of 32 registers, 6 x 2 of 16.
template <class Arch>
inline constexpr int tile_rows = registers<Arch> == 32 ? 14 : 6;
inline constexpr int tile_vectors = 2;
template <class Arch>
inline constexpr index_t tile_columns = tile_vectors * lanes<Arch>;

/// The left factor, read in place by broadcast and never packed: lane (i, k) lies at data[i * row + k * step]. A lane is
/// 32 bits of whatever the precision multiplies; a float carries them unchanged.
struct LeftFactor {
  const float* data;
  index_t row, step;
};

/// Columns of the right factor: vector j of row k lies at data + k * step + j * vector.
struct RightFactor {
  const float* data;
  index_t step, vector;
};

/// Memory that the next tiles will need, fetched one line a step of the reduction.
struct Ahead {
  const float* data;
  index_t step = panel_width;
};

/// sums[i][j] = sum over k < depth of a(i, k) * b(k, j), then finish(i, j, sums[i][j]) for every vector.
/// Every element is summed in ascending k by fused steps, whatever the tile height: results do not depend on tiling.
template <class Arch, class Dot, int Rows, int Vectors, class Finish>
[[gnu::noinline]] void tile(LeftFactor a, RightFactor b, index_t depth, Ahead ahead, const Finish& finish) {
  using F = Floats<Arch>;
  typename Dot::template sums<Arch> sums[Rows][Vectors];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) sums[i][j] = typename Dot::template sums<Arch>(0);
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) finish.prefetch(i);  // the output lines arrive while the loop runs: + 15 points of peak
#pragma GCC unroll 4
  for (index_t k = 0; k < depth; ++k) {
    __builtin_prefetch(ahead.data + k * ahead.step, 0, 2);
    F right[Vectors];
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) right[j] = load<Arch>(b.data + k * b.step + j * b.vector);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      const F left(a.data[i * a.row + k * a.step]);
#pragma GCC unroll 4
      for (int j = 0; j < Vectors; ++j) sums[i][j] = Dot::template step<Arch>(sums[i][j], left, right[j]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) finish(i, j * lanes<Arch>, sums[i][j]);
}

/// Calls f(integral_constant<rows>) for the run-time height of a tile.
template <class Arch, class F>
KNNBERT_INLINE void with_rows(index_t rows, F&& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) {
    (void)((rows == I + 1 && (f(std::integral_constant<int, I + 1>{}), true)) || ...);
  }(std::make_integer_sequence<int, tile_rows<Arch>>{});
}

/// Splits rows [first, last) into tiles of nearly equal height, so that 25 rows run as fast as 200: f(row, height).
template <class Arch, class F>
KNNBERT_INLINE void for_each_row_tile(index_t first, index_t last, F&& f) {
  const index_t rows = last - first;
  const index_t tiles = (rows + tile_rows<Arch> - 1) / tile_rows<Arch>;
  for (index_t t = 0, row = first; t < tiles; ++t) {
    const index_t height = rows / tiles + (t < rows % tiles);
    f(row, height);
    row += height;
  }
}

/// An epilogue's view of one tile: position (row, column) plus the offsets that the tile hands out.
template <class Epilogue>
struct TileFinish {
  const Epilogue& epilogue;
  index_t row, column;
  KNNBERT_INLINE void prefetch(int i) const { epilogue.prefetch(row + i, column); }
  template <class V>
  KNNBERT_INLINE void operator()(int i, index_t j, V sum) const { epilogue(row + i, column + j, sum); }
};

/// One tile at output position (row, column). Narrow tiles, which only end a row of panels, come in few heights: every
/// height is compiled once an epilogue.
template <class Arch, int Vectors, class Dot = Fp32, class Epilogue>
KNNBERT_INLINE void run_tile(index_t height, LeftFactor a, RightFactor b, index_t depth, index_t row, index_t column,
                             const Epilogue& epilogue, Ahead ahead) {
  if constexpr (Vectors < tile_vectors) {
    const auto run = [&](auto rows) {
      constexpr int count = decltype(rows)::value;
      for (; height >= count; height -= count, row += count, a.data += count * a.row)
        tile<Arch, Dot, count, Vectors>(a, b, depth, ahead, TileFinish<Epilogue>{epilogue, row, column});
    };
    if constexpr (tile_rows<Arch> >= 8) run(std::integral_constant<int, 8>{});
    run(std::integral_constant<int, 4>{});
    run(std::integral_constant<int, 1>{});
  } else {
    with_rows<Arch>(height, [&](auto rows) {
      tile<Arch, Dot, decltype(rows)::value, Vectors>(a, b, depth, ahead, TileFinish<Epilogue>{epilogue, row, column});
    });
  }
}

}  // namespace knnbert::kernel
