#pragma once
#include "knnbert/core/matrix.hpp"
#include "knnbert/kernel/dropout.hpp"
#include "knnbert/kernel/elementary.hpp"

/// What happens to a finished tile: each epilogue receives (row, column, vector of sums) and says which lines of memory
/// it will need. Rows may be written past the last column: matrices keep a panel of scratch there.
namespace knnbert::kernel {

KNNBERT_INLINE void prefetch_row(ConstView view, index_t row, index_t column, bool write) {
  const float* line = view.data() + row * view.stride() + column;
  write ? __builtin_prefetch(line, 1) : __builtin_prefetch(line, 0);
  write ? __builtin_prefetch(line + panel_width, 1) : __builtin_prefetch(line + panel_width, 0);
}

template <class Arch>
KNNBERT_INLINE void store_at(View view, index_t row, index_t column, Floats<Arch> v) {
  store<Arch>(view.data() + row * view.stride() + column, v);
}
template <class Arch>
KNNBERT_INLINE Floats<Arch> load_at(ConstView view, index_t row, index_t column) {
  return load<Arch>(view.data() + row * view.stride() + column);
}

/// out = sum
template <class Arch>
struct Store {
  View out;
  KNNBERT_INLINE void prefetch(index_t r, index_t c) const { prefetch_row(out, r, c, true); }
  KNNBERT_INLINE void operator()(index_t r, index_t c, Floats<Arch> sum) const { store_at<Arch>(out, r, c, sum); }
};

/// out = sum, never past the last column of out: for columns of a wider matrix
template <class Arch>
struct StoreWithin {
  View out;
  KNNBERT_INLINE void prefetch(index_t, index_t) const {}
  KNNBERT_INLINE void operator()(index_t r, index_t c, Floats<Arch> sum) const {
    if (c + lanes<Arch> <= out.cols()) return store_at<Arch>(out, r, c, sum);
    if (c < out.cols()) store_first<Arch>(out.data() + r * out.stride() + c, sum, out.cols() - c);
  }
};

/// out = sum + other
template <class Arch>
struct StoreSum {
  View out;
  ConstView other;
  KNNBERT_INLINE void prefetch(index_t r, index_t c) const {
    prefetch_row(out, r, c, true);
    prefetch_row(other, r, c, false);
  }
  KNNBERT_INLINE void operator()(index_t r, index_t c, Floats<Arch> sum) const {
    store_at<Arch>(out, r, c, sum + load_at<Arch>(other, r, c));
  }
};

/// out = sum + bias
template <class Arch>
struct AddBias {
  View out;
  const float* bias;
  KNNBERT_INLINE void prefetch(index_t r, index_t c) const { prefetch_row(out, r, c, true); }
  KNNBERT_INLINE void operator()(index_t r, index_t c, Floats<Arch> sum) const {
    store_at<Arch>(out, r, c, sum + load<Arch>(bias + c));
  }
};

/// out = Activation(sum + bias); the pre-activation is kept for the backward pass when `before` is not empty
template <class Arch, class Activation, bool Keep>
struct Activate {
  View out, before;
  const float* bias;
  KNNBERT_INLINE void prefetch(index_t r, index_t c) const {
    prefetch_row(out, r, c, true);
    if constexpr (Keep) prefetch_row(before, r, c, true);
  }
  KNNBERT_INLINE void operator()(index_t r, index_t c, Floats<Arch> sum) const {
    const auto x = sum + load<Arch>(bias + c);
    if constexpr (Keep) store_at<Arch>(before, r, c, x);
    store_at<Arch>(out, r, c, Activation::template value<Arch>(x));
  }
};

/// out = sum * Activation'(before)
template <class Arch, class Activation>
struct ActivateBackward {
  View out;
  ConstView before;
  KNNBERT_INLINE void prefetch(index_t r, index_t c) const {
    prefetch_row(out, r, c, true);
    prefetch_row(before, r, c, false);
  }
  KNNBERT_INLINE void operator()(index_t r, index_t c, Floats<Arch> sum) const {
    store_at<Arch>(out, r, c, sum * Activation::template derivative<Arch>(load_at<Arch>(before, r, c)));
  }
};

/// out = Activation(before), element by element
template <class Arch, class Activation>
void activate(ConstView before, View out) {
  for (index_t r = 0; r < before.rows(); ++r)
    for (index_t c = 0; c < before.cols(); c += lanes<Arch>)
      store_at<Arch>(out, r, c, Activation::template value<Arch>(load_at<Arch>(before, r, c)));
}

/// d_before = d_out * Activation'(before), element by element; d_before may be d_out
template <class Arch, class Activation>
void activate_backward(ConstView d_out, ConstView before, View d_before) {
  const ActivateBackward<Arch, Activation> epilogue{d_before, before};
  for (index_t r = 0; r < before.rows(); ++r)
    for (index_t c = 0; c < before.cols(); c += lanes<Arch>) epilogue(r, c, load_at<Arch>(d_out, r, c));
}

/// out = dropout(sum + bias) + residual
template <class Arch, bool Drop>
struct AddResidual {
  View out;
  ConstView residual;
  const float* bias;
  Dropout dropout;
  KNNBERT_INLINE void prefetch(index_t r, index_t c) const {
    prefetch_row(out, r, c, true);
    prefetch_row(residual, r, c, false);
  }
  KNNBERT_INLINE void operator()(index_t r, index_t c, Floats<Arch> sum) const {
    auto x = sum + load<Arch>(bias + c);
    const auto y = load_at<Arch>(residual, r, c);
    if constexpr (Drop) return store_at<Arch>(out, r, c, xsimd::fma(x, dropout_factors<Arch>(dropout, dropout.row_keys[r], c), y));
    store_at<Arch>(out, r, c, x + y);
  }
};

}  // namespace knnbert::kernel
