#pragma once
#include <concepts>
#include <span>

#include "knnbert/core/view.hpp"

namespace knnbert::inline v0_1 {

/// Value and gradient of labeled rows in one pure call: loss(x [B, C], labels [B], d_x [B, C]) returns the value and
/// overwrites d_x with its gradient. Both agree by central differences; an empty batch is a ShapeError; exponentials
/// do not overflow. Check yours with testing/loss_laws.hpp.
template <class L>
concept Loss = requires(const L& loss, ConstView x, std::span<const label_t> labels, View d_x) {
  { loss(x, labels, d_x) } -> std::same_as<float>;
};

/// How far two sets of rows are apart: divergence(a, b, d_a, d_b), all [B, C], returns the value and overwrites both
/// gradients; divergence(a, b, d_a) takes b for a constant. Zero when a equals b.
template <class D>
concept Divergence = requires(const D& divergence, ConstView a, ConstView b, View d_a, View d_b) {
  { divergence(a, b, d_a, d_b) } -> std::same_as<float>;
  { divergence(a, b, d_a) } -> std::same_as<float>;
};

namespace detail {

/// Throws ShapeError for an empty batch.
inline void require_batch(std::string_view where, ConstView x) {
  if (x.rows() < 1 || x.cols() < 1)
    raise<ShapeError>("{}: [{}, {}] given, at least one row and column expected", where, x.rows(), x.cols());
}

inline void require_labels(std::string_view where, ConstView x, std::span<const label_t> labels) {
  require_batch(where, x);
  if (x.rows() != std::ssize(labels)) raise<ShapeError>("{}: {} rows but {} labels", where, x.rows(), labels.size());
}

}  // namespace detail
}  // namespace knnbert::inline v0_1
