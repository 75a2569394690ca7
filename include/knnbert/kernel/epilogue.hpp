#pragma once
#include <type_traits>

#include "knnbert/core/matrix.hpp"
#include "knnbert/kernel/dropout.hpp"
#include "knnbert/kernel/elementary.hpp"

/// What happens to the sums of a tile: put(row, column, vector of sums) of an epilogue receives them, and touches() says
/// which rows of memory it will need. Rows may be written past the last column: matrices keep a panel of scratch there.
namespace knnbert::kernel {

/// Rows of memory that the end of a tile will write or read.
struct Lines {
  const float* data = nullptr;
  index_t stride = 0;

  Lines() = default;
  Lines(ConstView view, index_t row, index_t column) : data(view.data() + row * view.stride() + column), stride(view.stride()) {}
  Lines(const float* first, index_t step) : data(first), stride(step) {}
};
struct Touched {
  Lines written, read;
};

/// Where a tile leaves its sums: vector j of row i at data + i * stride + j * lanes, as lanes of 32 bits.
struct TileSums {
  float* data;
  index_t stride;
};

template <class Arch>
KNNBERT_INLINE void store_at(View view, index_t row, index_t column, Floats<Arch> v) {
  store<Arch>(view.data() + row * view.stride() + column, v);
}
template <class Arch>
KNNBERT_INLINE Floats<Arch> load_at(ConstView view, index_t row, index_t column) {
  return load<Arch>(view.data() + row * view.stride() + column);
}

/// out = sum
struct Store {
  View out;
  TileSums whole(index_t r, index_t c) const { return {out.data() + r * out.stride() + c, out.stride()}; }
  Touched touches(index_t r, index_t c) const { return {{out, r, c}, {}}; }
  template <class Arch>
  KNNBERT_INLINE void put(index_t r, index_t c, Floats<Arch> sum) const { store_at<Arch>(out, r, c, sum); }
};

/// out = sum, never past the last column of out: for columns of a wider matrix
struct StoreWithin {
  View out;
  Touched touches(index_t, index_t) const { return {}; }
  template <class Arch>
  KNNBERT_INLINE void put(index_t r, index_t c, Floats<Arch> sum) const {
    if (c + lanes<Arch> <= out.cols()) return store_at<Arch>(out, r, c, sum);
    if (c < out.cols()) store_first<Arch>(out.data() + r * out.stride() + c, sum, out.cols() - c);
  }
};

/// out = sum + other
struct StoreSum {
  View out;
  ConstView other;
  Touched touches(index_t r, index_t c) const { return {{out, r, c}, {other, r, c}}; }
  template <class Arch>
  KNNBERT_INLINE void put(index_t r, index_t c, Floats<Arch> sum) const {
    store_at<Arch>(out, r, c, sum + load_at<Arch>(other, r, c));
  }
};

/// out = sum + bias
struct AddBias {
  View out;
  const float* bias;
  Touched touches(index_t r, index_t c) const { return {{out, r, c}, {}}; }
  template <class Arch>
  KNNBERT_INLINE void put(index_t r, index_t c, Floats<Arch> sum) const {
    store_at<Arch>(out, r, c, sum + load<Arch>(bias + c));
  }
};

/// out = Activation(sum + bias); the pre-activation is kept for the backward pass when `before` is not empty
template <class Activation, bool Keep>
struct Activate {
  View out, before;
  const float* bias;
  Touched touches(index_t r, index_t c) const { return {{out, r, c}, Keep ? Lines{before, r, c} : Lines{}}; }
  template <class Arch>
  KNNBERT_INLINE void put(index_t r, index_t c, Floats<Arch> sum) const {
    const auto x = sum + load<Arch>(bias + c);
    if constexpr (Keep) store_at<Arch>(before, r, c, x);
    store_at<Arch>(out, r, c, Activation::template value<Arch>(x));
  }
};

/// What finishes a product in place of an epilogue where its result is lowered next.
template <class Epilogue>
const Epilogue& coarse(const Epilogue& epilogue) { return epilogue; }
inline Activate<CoarseGelu, false> coarse(const Activate<Gelu, false>& epilogue) { return {epilogue.out, epilogue.before, epilogue.bias}; }

/// out = sum * Activation'(before)
template <class Activation>
struct ActivateBackward {
  View out;
  ConstView before;
  Touched touches(index_t r, index_t c) const { return {{out, r, c}, {before, r, c}}; }
  template <class Arch>
  KNNBERT_INLINE void put(index_t r, index_t c, Floats<Arch> sum) const {
    store_at<Arch>(out, r, c, sum * Activation::template derivative<Arch>(load_at<Arch>(before, r, c)));
  }
};

template <class Activation>
struct ActivateRows;
template <class Activation>
struct ActivateRowsBackward;

/// out = Activation(before), element by element
template <class Arch, class Activation>
void activate(ConstView before, View out) {
  if constexpr (std::is_same_v<Arch, Dispatched>) return dispatch<ActivateRows<Activation>>(before, out);
  else
    for (index_t r = 0; r < before.rows(); ++r)
      for (index_t c = 0; c < before.cols(); c += lanes<Arch>)
        store_at<Arch>(out, r, c, Activation::template value<Arch>(load_at<Arch>(before, r, c)));
}

/// d_before = d_out * Activation'(before), element by element; d_before may be d_out
template <class Arch, class Activation>
void activate_backward(ConstView d_out, ConstView before, View d_before) {
  if constexpr (std::is_same_v<Arch, Dispatched>) return dispatch<ActivateRowsBackward<Activation>>(d_out, before, d_before);
  else
    for (index_t r = 0; r < before.rows(); ++r)
      for (index_t c = 0; c < before.cols(); c += lanes<Arch>)
        ActivateBackward<Activation>{d_before, before}.template put<Arch>(r, c, load_at<Arch>(d_out, r, c));
}

template <class Activation>
struct ActivateRows : Entry<void(ConstView, View)> {
  template <class Arch>
  static constexpr Entry::type* function = activate<Arch, Activation>;
};
template <class Activation>
struct ActivateRowsBackward : Entry<void(ConstView, ConstView, View)> {
  template <class Arch>
  static constexpr Entry::type* function = activate_backward<Arch, Activation>;
};

/// out = dropout(sum + bias) + residual
template <bool Drop>
struct AddResidual {
  View out;
  ConstView residual;
  const float* bias;
  Dropout dropout;
  Touched touches(index_t r, index_t c) const { return {{out, r, c}, {residual, r, c}}; }
  template <class Arch>
  KNNBERT_INLINE void put(index_t r, index_t c, Floats<Arch> sum) const {
    auto x = sum + load<Arch>(bias + c);
    const auto y = load_at<Arch>(residual, r, c);
    if constexpr (Drop) return store_at<Arch>(out, r, c, xsimd::fma(x, dropout_factors<Arch>(dropout, dropout.row_keys[r], c), y));
    store_at<Arch>(out, r, c, x + y);
  }
};

}  // namespace knnbert::kernel
