#pragma once
#include "knnbert/core/matrix.hpp"
#include "knnbert/core/type_name.hpp"
#include "knnbert/metric/concept.hpp"

namespace knnbert::inline v0_1 {

/// A similarity of two rows, larger is closer.
template <class F>
concept PairSimilarity = std::semiregular<F> &&
    requires(const F& f, std::span<const float> a, std::span<const float> b) {
  { f(a, b) } -> std::convertible_to<float>;
};

/// A similarity of two rows that adds d_score * (its gradient with respect to the query) to d_query.
template <class F>
concept DifferentiablePairSimilarity = PairSimilarity<F> &&
    requires(const F& f, std::span<const float> query, std::span<const float> key, float d_score,
             std::span<float> d_query) {
  f.gradient(query, key, d_score, d_query);
};

/// A metric from a function object of two rows; differentiable if the object has a member
/// gradient(query, key, d_score, d_query).  Cost: one call a pair.  Errors: ShapeError.
template <PairSimilarity F>
struct Pairwise {
  F similarity{};

  std::string name() const { return "pairwise " + policy_name(similarity); }

  void prepare(View) const {}
  void prepare_backward(ConstView, ConstView, ConstView d_prepared, View d_raw) const {
    if (d_raw.data() != d_prepared.data()) copy(d_prepared, d_raw);
  }

  void score(ConstView queries,  // [B, D]
             ConstView keys,     // [N, D]
             View out) const {   // [B, N]
    detail::require_scores("Pairwise::score", queries, keys, out);
    for (index_t i = 0; i < queries.rows(); ++i)
      for (index_t j = 0; j < keys.rows(); ++j) out(i, j) = similarity(queries.row(i), keys.row(j));
  }

  void backward(ConstView queries,     // [B, D]
                ConstView keys,        // [N, D]
                ConstView,             // [B, N]
                ConstView d_scores,    // [B, N]
                View d_queries) const  // [B, D]
      requires DifferentiablePairSimilarity<F> {
    detail::require_scores("Pairwise::backward", queries, keys, d_scores);
    require_shape("Pairwise::backward", d_queries, queries.rows(), queries.cols());
    for (index_t i = 0; i < queries.rows(); ++i)
      for (index_t j = 0; j < keys.rows(); ++j)
        if (d_scores(i, j) != 0.0f) similarity.gradient(queries.row(i), keys.row(j), d_scores(i, j), d_queries.row(i));
  }
};

}  // namespace knnbert::inline v0_1
