#pragma once
#include <span>

#include "knnbert/kernel/epilogue.hpp"

/// Means over the rows of each text, forward and backward.
namespace knnbert::inline v0_1::kernel {

/// pooled [B, H] = mean over each text's rows of hidden [T, H], summed in order.
template <class Arch>
void mean_rows(ConstView hidden, std::span<const index_t> offsets, View pooled) {
  using F = Floats<Arch>;
  const index_t origin = offsets[0];
  for (index_t b = 0; b + 1 < std::ssize(offsets); ++b) {
    const F length(static_cast<float>(offsets[as_size(b + 1)] - offsets[as_size(b)]));
    for (index_t c = 0; c < hidden.cols(); c += lanes<Arch>) {
      F total(0.0f);
      for (index_t t = offsets[as_size(b)]; t < offsets[as_size(b + 1)]; ++t)
        total = total + load_at<Arch>(hidden, t - origin, c);
      store_at<Arch>(pooled, b, c, total / length);
    }
  }
}

/// Adds d_pooled / length to every row of each text.
template <class Arch>
void add_mean_rows_backward(ConstView d_pooled, std::span<const index_t> offsets, View d_hidden) {
  using F = Floats<Arch>;
  for (index_t b = 0; b + 1 < std::ssize(offsets); ++b) {
    const F length(static_cast<float>(offsets[as_size(b + 1)] - offsets[as_size(b)]));
    for (index_t t = offsets[as_size(b)]; t < offsets[as_size(b + 1)]; ++t)
      for (index_t c = 0; c < d_hidden.cols(); c += lanes<Arch>)
        store_at<Arch>(d_hidden, t, c, load_at<Arch>(d_hidden, t, c) + load_at<Arch>(d_pooled, b, c) / length);
  }
}

struct MeanRows : Entry<void(ConstView, std::span<const index_t>, View)> {
  template <class Arch>
  static constexpr type* function = mean_rows<Arch>;
};
template <>
inline void mean_rows<Dispatched>(ConstView hidden, std::span<const index_t> offsets, View pooled) {
  dispatch<MeanRows>(hidden, offsets, pooled);
}
struct AddMeanRowsBackward : Entry<void(ConstView, std::span<const index_t>, View)> {
  template <class Arch>
  static constexpr type* function = add_mean_rows_backward<Arch>;
};
template <>
inline void add_mean_rows_backward<Dispatched>(ConstView d_pooled, std::span<const index_t> offsets, View d_hidden) {
  dispatch<AddMeanRowsBackward>(d_pooled, offsets, d_hidden);
}

}  // namespace knnbert::inline v0_1::kernel
