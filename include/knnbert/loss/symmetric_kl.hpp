#pragma once
#include "knnbert/loss/concept.hpp"
#include "knnbert/loss/softmax.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

inline void require_pair(std::string_view where, ConstView a, ConstView b, View d_a, View d_b) {
  require_batch(where, a);
  require_shape(where, b, a.rows(), a.cols());
  require_shape(where, d_a, a.rows(), a.cols());
  require_shape(where, d_b, a.rows(), a.cols());
}

/// Two rows of logits; log p - log q is formed from the differences of logits, and p - q from it, so that nearly equal
/// rows keep their digits.
struct SoftmaxPair {
  std::span<const float> a, b;
  double normalizer_a = log_sum_exp(a), normalizer_b = log_sum_exp(b);

  double p(std::size_t c) const { return std::exp(a[c] - normalizer_a); }
  double q(std::size_t c) const { return std::exp(b[c] - normalizer_b); }
  double log_ratio(std::size_t c) const { return (static_cast<double>(a[c]) - b[c]) - (normalizer_a - normalizer_b); }
  /// By the larger of both, so that nothing overflows where the other vanishes.
  double p_minus_q(std::size_t c) const {
    const double ratio = log_ratio(c);
    return ratio < 0 ? q(c) * std::expm1(ratio) : -p(c) * std::expm1(-ratio);
  }
};

}  // namespace detail

/// Mean over rows of KL(p|q) + KL(q|p), p = softmax(a), q = softmax(b).  SMART, arXiv 1911.03437.
/// d_a = (p (log p - log q - KL(p|q)) + p - q) / B; d_b alike. The gradient vanishes where a equals b.
/// With half_detached each term stops the gradient through its target (the released code): d_a = (p - q) / B.
/// Errors: ShapeError.  Cost: O(B C).
struct SymmetricKl {
  bool half_detached = false;

  float operator()(ConstView a, ConstView b, View d_a, View d_b) const {  // all [B, C]
    detail::require_pair("SymmetricKl", a, b, d_a, d_b);
    double total = 0;
    const auto batch = static_cast<double>(a.rows());
    for (index_t i = 0; i < a.rows(); ++i) {
      total += value({a.row(i), b.row(i)});
      gradient({a.row(i), b.row(i)}, batch, d_a.row(i));
      gradient({b.row(i), a.row(i)}, batch, d_b.row(i));
    }
    return static_cast<float>(total / batch);
  }

  /// b is a constant.
  float operator()(ConstView a, ConstView b, View d_a) const {  // all [B, C]
    detail::require_pair("SymmetricKl", a, b, d_a, d_a);
    double total = 0;
    const auto batch = static_cast<double>(a.rows());
    for (index_t i = 0; i < a.rows(); ++i) {
      total += value({a.row(i), b.row(i)});
      gradient({a.row(i), b.row(i)}, batch, d_a.row(i));
    }
    return static_cast<float>(total / batch);
  }

 private:
  static double value(const detail::SoftmaxPair& pair) {
    double total = 0;
    for (std::size_t c = 0; c < pair.a.size(); ++c) total += pair.p_minus_q(c) * pair.log_ratio(c);
    return total;
  }

  void gradient(const detail::SoftmaxPair& pair, double batch, std::span<float> d_a) const {
    double divergence = 0;
    for (std::size_t c = 0; c < pair.a.size(); ++c) divergence += pair.p(c) * pair.log_ratio(c);
    for (std::size_t c = 0; c < pair.a.size(); ++c) {
      const double through_target = half_detached ? 0.0 : pair.p(c) * (pair.log_ratio(c) - divergence);
      d_a[c] = static_cast<float>((through_target + pair.p_minus_q(c)) / batch);
    }
  }
};

/// 2 sum over rows and classes of p w, w = r(p) - r(q) held constant, r(t) = -log(1 / (t + e) - 1 + e), e = 1e-6: the
/// inner objective of SMART's released code. Not a gradient of a function of a: d_a = 2 p (w - sum p w), d_b = 0.
/// Errors: ShapeError.
struct StableKl {
  float operator()(ConstView a, ConstView b, View d_a) const {  // all [B, C]
    detail::require_pair("StableKl", a, b, d_a, d_a);
    double total = 0;
    for (index_t i = 0; i < a.rows(); ++i) total += row({a.row(i), b.row(i)}, d_a.row(i));
    return static_cast<float>(2 * total);
  }
  float operator()(ConstView a, ConstView b, View d_a, View d_b) const {  // all [B, C]
    require_shape("StableKl", d_b, a.rows(), a.cols());
    for (index_t i = 0; i < d_b.rows(); ++i) std::fill(d_b.row(i).begin(), d_b.row(i).end(), 0.0f);
    return (*this)(a, b, d_a);
  }

 private:
  static double logit(double t) { return -std::log(1 / (t + 1e-6) - 1 + 1e-6); }
  static double row(const detail::SoftmaxPair& pair, std::span<float> d_a) {
    const auto w = [&](std::size_t c) { return logit(pair.p(c)) - logit(pair.q(c)); };
    double mean = 0;
    for (std::size_t c = 0; c < pair.a.size(); ++c) mean += pair.p(c) * w(c);
    for (std::size_t c = 0; c < pair.a.size(); ++c) d_a[c] = static_cast<float>(2 * pair.p(c) * (w(c) - mean));
    return mean;
  }
};

}  // namespace knnbert::inline v0_1
