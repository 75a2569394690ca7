#pragma once
#include <cmath>

#include "knnbert/metric/dot.hpp"

namespace knnbert::inline v0_1 {

/// Minus the Euclidean distance: -|q - k|, at most 0.  Errors: ShapeError.
template <class Arch = DefaultArch>
struct BasicEuclidean {
  static constexpr std::string_view name = "euclidean";

  void prepare(View) const {}
  void prepare_backward(ConstView, ConstView, ConstView d_prepared, View d_raw) const {
    if (d_raw.data() != d_prepared.data()) copy(d_prepared, d_raw);
  }

  void score(ConstView queries,  // [B, D]
             ConstView keys,     // [N, D]
             View out) const {   // [B, N]
    detail::require_scores("Euclidean::score", queries, keys, out);
    kernel::squared_distances<Arch>(queries, keys, out);
    for (index_t i = 0; i < out.rows(); ++i)
      for (float& x : out.row(i)) x = -std::sqrt(x);
  }

  /// d_queries_i += sum over j of d_scores(i, j) * (q_i - k_j) / scores(i, j); a pair at distance 0 contributes
  /// nothing.
  void backward(ConstView queries,       // [B, D]
                ConstView keys,          // [N, D]
                ConstView scores,        // [B, N]
                ConstView d_scores,      // [B, N]
                View d_queries) const {  // [B, D]
    detail::require_scores("Euclidean::backward", queries, keys, scores);
    detail::require_scores("Euclidean::backward", queries, keys, d_scores);
    require_shape("Euclidean::backward", d_queries, queries.rows(), queries.cols());
    Matrix weights(1, keys.rows());
    for (index_t i = 0; i < queries.rows(); ++i) {
      for (index_t j = 0; j < keys.rows(); ++j)
        weights(0, j) = scores(i, j) == 0.0f ? 0.0f : d_scores(i, j) / scores(i, j);
      kernel::accumulate_differences<Arch>(weights, queries.row_range(i, 1), keys, d_queries.row_range(i, 1));
    }
  }
};

using Euclidean = BasicEuclidean<>;

template <class Arch>
inline constexpr std::optional<float> best_score<BasicEuclidean<Arch>> = 0.0f;

}  // namespace knnbert::inline v0_1
