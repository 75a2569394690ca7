#pragma once
#include <algorithm>
#include <utility>

#include "knnbert/kernel/epilogue.hpp"
#include "knnbert/kernel/precision.hpp"

/// The register tile: the one inner loop behind every product of activations and weights.
namespace knnbert::inline v0_1::kernel {

/// Rows and vectors of the largest tile. The accumulators, the vectors of B and one broadcast of A fill the register
/// file: 14 x 2 of 32 registers, 6 x 2 of 16.
template <class Arch>
inline constexpr int tile_rows = registers<Arch> == 32 ? 14 : 6;
inline constexpr int tile_vectors = 2;
template <class Arch>
inline constexpr index_t tile_columns = tile_vectors* lanes<Arch>;

/// The left factor, read in place by broadcast and never packed: lane (i, k) lies at data[i * row + k * step]. A lane
/// is 32 bits of whatever the precision multiplies; a float carries them unchanged.
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

/// sums(i, j) = sum over k < depth of a(i, k) * b(k, j), then finish(sums) on the registers.
/// Every element is summed in ascending k by fused steps, whatever the tile height: results do not depend on tiling.
/// Factors come by reference: copies of them are written by words and read by pairs of words, for which the processor
/// waits (1.5 % of the time in int8).
template <class Arch, class Dot, int Rows, int Vectors, class Finish>
KNNBERT_ALWAYS_INLINE void tile_sums(const LeftFactor& left, const RightFactor& right, index_t depth, Ahead ahead,
                                     const Touched& touched, Finish&& finish) {
  using F = Floats<Arch>;
  const LeftFactor a = left;  // copies: through the references GCC keeps the sums in memory
  const RightFactor b = right;
  typename Dot::template sums<Arch> sums[as_size(Rows)][as_size(Vectors)];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) sums[i][j] = typename Dot::template sums<Arch>(0);
  // These lines arrive while the loop runs: + 15 points of peak.
  if (touched.written.data)
    for (int i = 0; i < Rows; ++i)
      for (index_t j = 0; j < Vectors * lanes<Arch>; j += panel_width)
        __builtin_prefetch(touched.written.data + i * touched.written.stride + j, 1);
  if (touched.read.data)
    for (int i = 0; i < Rows; ++i)
      for (index_t j = 0; j < Vectors * lanes<Arch>; j += panel_width)
        __builtin_prefetch(touched.read.data + i * touched.read.stride + j);
  constexpr int level = registers<Arch> == 32 ? 3 : 2;  // low tiles leave the first level to the left factor: + 4
                                                        // points
#pragma GCC unroll 4
  for (index_t k = 0; k < depth; ++k) {
    __builtin_prefetch(ahead.data + k * ahead.step, 0, level);
    F columns[as_size(Vectors)];
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) columns[j] = load<Arch>(b.data + k * b.step + j * b.vector);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      const F element(a.data[i * a.row + k * a.step]);
#pragma GCC unroll 4
      for (int j = 0; j < Vectors; ++j) sums[i][j] = Dot::template step<Arch>(sums[i][j], element, columns[j]);
    }
  }
  finish(sums);
}

/// A tile that leaves its sums in memory. What follows reads them back from the first-level cache: applied to the
/// registers it is compiled once a height, for 1 % of the time; finished_tile() does it where that matters.
template <class Arch, class Dot, int Rows, int Vectors>
void tile(const LeftFactor& left, const RightFactor& right, index_t depth, Ahead ahead, const Touched& touched,
          TileSums out) {
  tile_sums<Arch, Dot, Rows, Vectors>(
      left, right, depth, ahead, touched, [&](const auto& sums) KNNBERT_ALWAYS_INLINE_CALL {
#pragma GCC unroll 16
        for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 4
          for (int j = 0; j < Vectors; ++j)
            store<Arch>(out.data + i * out.stride + j * lanes<Arch>, as_floats<Arch>(sums[i][j]));
      });
}

/// The largest tile at output position (row, column), with its epilogue.
template <class Arch, class Dot, class Epilogue>
[[gnu::noinline]] void finished_tile(const LeftFactor& left, const RightFactor& right, index_t depth, Ahead ahead,
                                     index_t row, index_t column, const Epilogue& epilogue) {
  tile_sums<Arch, Dot, tile_rows<Arch>, tile_vectors>(
      left, right, depth, ahead, epilogue.touches(row, column), [&](const auto& sums) KNNBERT_ALWAYS_INLINE_CALL {
#pragma GCC unroll 4
        for (int j = 0; j < tile_vectors; ++j) {
          const auto put = epilogue.template column<Arch>(column + j * lanes<Arch>);
#pragma GCC unroll 16
          for (int i = 0; i < tile_rows<Arch>; ++i) put(row + i, as_floats<Arch>(sums[i][j]));
        }
      });
}

/// Tiles by height, rows 1 and up. Narrow tiles, which only end a row of panels, come in few heights.
template <class Arch, class Dot, int Vectors>
struct Tiles {
  using Function = void (*)(const LeftFactor&, const RightFactor&, index_t, Ahead, const Touched&, TileSums);
  static constexpr int most = tile_rows<Arch>;

  static index_t height(index_t rows) {
    if constexpr (Vectors == tile_vectors) return rows;
    return rows == most ? most : most > 8 && rows >= 8 ? 8 : rows >= 4 ? 4 : 1;
  }
  static Function of(index_t height) {
    if constexpr (Vectors == tile_vectors) return by_height(std::make_integer_sequence<int, most>{})[height - 1];
    if (most > 8 && height == 8) return tile<Arch, Dot, std::min(most, 8), Vectors>;
    return height == most ? tile<Arch, Dot, most, Vectors>
           : height == 4  ? tile<Arch, Dot, 4, Vectors>
                          : tile<Arch, Dot, 1, Vectors>;
  }

 private:
  template <int... I>
  static const Function* by_height(std::integer_sequence<int, I...>) {
    static constexpr Function all[] = {tile<Arch, Dot, I + 1, Vectors>...};
    return all;
  }
};

/// Splits rows [first, last) into tiles of nearly equal height, so that 25 rows run as fast as 200: f(row, height).
template <class Arch, class F>
KNNBERT_ALWAYS_INLINE void for_each_row_tile(index_t first, index_t last, F&& f) {
  const index_t rows = last - first;
  const index_t tiles = (rows + tile_rows<Arch> - 1) / tile_rows<Arch>;
  for (index_t t = 0, row = first; t < tiles; ++t) {
    const index_t height = rows / tiles + (t < rows % tiles);
    f(row, height);
    row += height;
  }
}

namespace detail {

template <class Arch, class Epilogue>
[[gnu::noinline]] void finish_tile(const float* sums, index_t height, index_t width, index_t row, index_t column,
                                   const Epilogue& epilogue) {
  const auto put = epilogue.template column<Arch>(column);
  if (width == lanes<Arch>) {
    for (index_t i = 0; i < height; ++i) put(row + i, load<Arch>(sums + i * tile_columns<Arch>));
    return;
  }
  const auto put_next = epilogue.template column<Arch>(column + lanes<Arch>);
  for (index_t i = 0; i < height; ++i) {
    put(row + i, load<Arch>(sums + i * tile_columns<Arch>));
    put_next(row + i, load<Arch>(sums + i * tile_columns<Arch> + lanes<Arch>));
  }
}

}  // namespace detail

/// One tile at output position (row, column): the sums, then the epilogue on each vector of them. An epilogue that only
/// stores says where (`whole`), and the tile stores there itself.
template <class Arch, int Vectors, class Dot = Fp32, class Epilogue>
void run_tile(index_t height, const LeftFactor& left, const RightFactor& b, index_t depth, index_t row, index_t column,
              const Epilogue& epilogue, Ahead ahead) {
  using Shapes = Tiles<Arch, Dot, Vectors>;
  index_t done = 0;
  for (index_t rows; done < height; done += rows, row += rows) {
    rows = Shapes::height(height - done);
    const LeftFactor a{left.data + done * left.row, left.row, left.step};
    if constexpr (Vectors == tile_vectors && Dot::precision != Precision::fp32 && in_registers<Epilogue>)
      if (rows == Shapes::most) {
        finished_tile<Arch, Dot>(a, b, depth, ahead, row, column, epilogue);
        continue;
      }
    const auto function = Shapes::of(rows);
    if constexpr (requires { epilogue.whole(row, column); }) {
      const TileSums out = epilogue.whole(row, column);
      function(a, b, depth, ahead, {{out.data, out.stride}, {}}, out);
    } else {
      alignas(64) float sums[tile_rows<Arch> * tile_columns<Arch>];
      function(a, b, depth, ahead, epilogue.touches(row, column), {sums, tile_columns<Arch>});
      detail::finish_tile<Arch>(sums, rows, Vectors * lanes<Arch>, row, column, epilogue);
    }
  }
}

}  // namespace knnbert::inline v0_1::kernel
