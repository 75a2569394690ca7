#pragma once
#include "knnbert/core/matrix.hpp"
#include "knnbert/kernel/accumulate.hpp"
#include "knnbert/metric/concept.hpp"

namespace knnbert::inline v0_1 {

/// The inner product <q, k>; rows are used as they are.  Errors: ShapeError.
template <class Arch = DefaultArch>
struct BasicDot {
  static constexpr std::string_view name = "dot";

  void prepare(View) const {}
  void prepare_backward(ConstView, ConstView, ConstView d_prepared, View d_raw) const {
    if (d_raw.data() != d_prepared.data()) copy(d_prepared, d_raw);
  }

  void score(ConstView queries,  // [B, D]
             ConstView keys,     // [N, D]
             View out) const {   // [B, N]
    detail::require_scores("Dot::score", queries, keys, out);
    kernel::scores<Arch>(queries, keys, out);
  }

  /// d_queries += d_scores * keys
  void backward(ConstView queries,       // [B, D]
                ConstView keys,          // [N, D]
                ConstView,               // [B, N]
                ConstView d_scores,      // [B, N]
                View d_queries) const {  // [B, D]
    detail::require_scores("Dot::backward", queries, keys, d_scores);
    require_shape("Dot::backward", d_queries, queries.rows(), queries.cols());
    kernel::accumulate<Arch>(d_scores, keys, d_queries);
  }
};

using Dot = BasicDot<>;

template <class Arch>
struct ProductArch<BasicDot<Arch>> {
  using type = Arch;
};

}  // namespace knnbert::inline v0_1
