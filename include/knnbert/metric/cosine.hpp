#pragma once
#include <algorithm>
#include <cmath>

#include "knnbert/kernel/normalize.hpp"
#include "knnbert/metric/dot.hpp"

namespace knnbert::inline v0_1 {

/// The cosine of the angle: prepared rows have length 1 and score is their inner product, in [-1, 1] up to rounding.
/// A row shorter than 1e-12 becomes zero, has similarity 0 to everything and receives no gradient.
/// score and backward expect prepared rows.  Errors: ShapeError.
template <class Arch = DefaultArch>
struct BasicCosine : BasicDot<Arch> {
  static constexpr std::string_view name = "cosine";

  void prepare(View rows) const { kernel::normalize_rows<Arch>(rows); }
  /// The first row of another length than 1 or 0, beyond rounding; -1 if there is none.
  index_t first_unprepared(ConstView rows) const {
    for (index_t i = 0; i < rows.rows(); ++i) {
      float squares = 0;
      for (const float x : rows.row(i)) squares += x * x;
      if (squares != 0 && !(std::abs(squares - 1) < 1e-3f)) return i;
    }
    return -1;
  }
  float bounded(float score) const { return std::clamp(score, -1.0f, 1.0f); }

  /// d_raw = (d - z <z, d>) / |raw|, z = prepared.
  void prepare_backward(ConstView raw,         // [N, D]
                        ConstView prepared,    // [N, D]
                        ConstView d_prepared,  // [N, D]
                        View d_raw) const {    // [N, D]
    for (const ConstView view : {prepared, d_prepared, ConstView(d_raw)})
      require_shape("Cosine::prepare_backward", view, raw.rows(), raw.cols());
    kernel::normalize_rows_backward<Arch>(raw, prepared, d_prepared, d_raw);
  }
};

using Cosine = BasicCosine<>;

template <class Arch>
inline constexpr std::optional<float> best_score<BasicCosine<Arch>> = 1.0f;

template <class Arch>
struct ProductArch<BasicCosine<Arch>> {
  using type = Arch;
};

}  // namespace knnbert::inline v0_1
