#pragma once
#include <algorithm>
#if defined(__AVX__)
#include <immintrin.h>
#endif

#include "knnbert/core/buffer.hpp"
#include "knnbert/core/view.hpp"
#include "knnbert/kernel/arch.hpp"

/// Rows prepared for products with many rows that stay where they lie (row_pairs.hpp).
namespace knnbert::inline v0_1::kernel {

inline constexpr int quad = 4;  // columns of a step

/// Quads of lanes in a vector: the queries that one vector holds.
template <class Arch>
inline constexpr index_t quads_a_vector = lanes<Arch> / quad;

/// p[0..3] in every quad of lanes.
template <class Arch>
KNNBERT_ALWAYS_INLINE Floats<Arch> repeat_quad(const float* p) {
#if defined(__AVX512F__)
  if constexpr (lanes<Arch> == 16) return Floats<Arch>(_mm512_broadcast_f32x4(_mm_loadu_ps(p)));
#endif
#if defined(__AVX__)
  if constexpr (lanes<Arch> == 8) return Floats<Arch>(_mm256_broadcast_ps(reinterpret_cast<const __m128*>(p)));
#endif
  if constexpr (lanes<Arch> == quad) return load<Arch>(p);
  alignas(64) float all[lanes<Arch>];
  for (index_t i = 0; i < lanes<Arch>; ++i) all[i] = p[i % quad];
  return Floats<Arch>::load_aligned(all);
}

/// Vectors of queries of the largest tile. The accumulators, the vectors of queries and one quad of a key fill the
/// register file: 6 keys x 4 vectors of 32 registers (94 % of peak; 8 x 3: 93 %, 12 x 2: 85 %), 4 x 2 of 16.
template <class Arch>
inline constexpr int pair_vectors = registers<Arch> == 32 ? 4 : 2;

/// Rows in panels of at most pair_vectors vectors: [panel][columns / 4][vector][row of the vector][4], zeros around
/// them. A few rows, such as the queries of a training step, need no memory but the object's.
template <class Arch>
class PackedRows {
 public:
  explicit PackedRows(ConstView rows)
      : rows_(rows.rows()), cols_(rows.cols()),
        vectors_((rows.rows() + quads_a_vector<Arch> - 1) / quads_a_vector<Arch>) {
    const index_t floats = vectors_ * vector_floats();
    if (floats <= few) std::fill_n(few_, floats, 0.0f);
    else more_ = AlignedBuffer<float>(floats);
    for (index_t p = 0; p < panels(); ++p) {
      const index_t first = first_vector(p) * quads_a_vector<Arch>, height = panel_vectors(p) * quads_a_vector<Arch>;
      float* to = (floats <= few ? few_ : more_.data()) + first_vector(p) * vector_floats();
      for (index_t i = 0; i < std::min(height, rows_ - first); ++i)
        pack(rows.row(first + i).data(), to + i * quad, height * quad);
    }
  }

  index_t rows() const { return rows_; }
  index_t cols() const { return cols_; }
  index_t panels() const { return (vectors_ + pair_vectors<Arch> - 1) / pair_vectors<Arch>; }
  /// Panels are of nearly equal height; the tallest comes last.
  index_t first_vector(index_t panel) const { return panel * vectors_ / panels(); }
  int panel_vectors(index_t panel) const { return static_cast<int>(first_vector(panel + 1) - first_vector(panel)); }
  const float* panel(index_t panel) const {
    return (more_.size() > 0 ? more_.data() : few_) + first_vector(panel) * vector_floats();
  }

 private:
  static constexpr index_t few = 16 * 768;
  index_t vector_floats() const { return (cols_ + quad - 1) / quad * lanes<Arch>; }
  void pack(const float* from, float* to, index_t step) const {
    index_t c = 0;
    for (; c + quad <= cols_; c += quad, to += step) std::copy_n(from + c, quad, to);
    std::copy_n(from + c, cols_ - c, to);
  }

  index_t rows_, cols_, vectors_;
  AlignedBuffer<float> more_;
  alignas(64) float few_[few];
};

}  // namespace knnbert::inline v0_1::kernel
