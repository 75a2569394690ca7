#pragma once
#include <type_traits>

#include "knnbert/core/matrix.hpp"
#include "knnbert/kernel/dropout.hpp"
#include "knnbert/kernel/elementary.hpp"

/// What happens to the sums of a tile: column(c) of an epilogue yields a function that receives vectors of sums that
/// begin there, as put(row, sums), and keeps what it needs of that column in registers; touches() says which rows of
/// memory it will need. Rows may be written past the last column: matrices keep a panel of scratch there.
namespace knnbert::inline v0_1::kernel {

/// Rows of memory that the end of a tile will write or read.
struct Lines {
  const float* data = nullptr;
  index_t stride = 0;

  Lines() = default;
  Lines(ConstView view, index_t row, index_t column)
      : data(view.data() + row * view.stride() + column), stride(view.stride()) {}
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

/// Whether the largest tile of a reduced precision applies an epilogue itself: its loop takes half or a quarter of the
/// time of one in fp32, so that reading the sums back would count for 1.5 %. For those of inference, as each costs
/// compile time.
template <class Epilogue>
inline constexpr bool in_registers = false;

template <class Arch>
KNNBERT_ALWAYS_INLINE void store_at(View view, index_t row, index_t column, Floats<Arch> v) {
  store<Arch>(view.data() + row * view.stride() + column, v);
}
template <class Arch>
KNNBERT_ALWAYS_INLINE Floats<Arch> load_at(ConstView view, index_t row, index_t column) {
  return load<Arch>(view.data() + row * view.stride() + column);
}

/// out = sum
struct Store {
  View out;
  TileSums whole(index_t r, index_t c) const { return {out.data() + r * out.stride() + c, out.stride()}; }
  Touched touches(index_t r, index_t c) const { return {{out, r, c}, {}}; }
  template <class Arch>
  auto column(index_t c) const {
    return [o = out, c](index_t r, Floats<Arch> sum) KNNBERT_ALWAYS_INLINE_CALL { store_at<Arch>(o, r, c, sum); };
  }
};

/// out = sum, never past the last column of out: for columns of a wider matrix
struct StoreWithin {
  View out;
  Touched touches(index_t, index_t) const { return {}; }
  template <class Arch>
  auto column(index_t c) const {
    return [o = out, c](index_t r, Floats<Arch> sum) KNNBERT_ALWAYS_INLINE_CALL {
      if (c + lanes<Arch> <= o.cols()) return store_at<Arch>(o, r, c, sum);
      if (c < o.cols()) store_first<Arch>(o.data() + r * o.stride() + c, sum, o.cols() - c);
    };
  }
};

/// out = sum + other
struct StoreSum {
  View out;
  ConstView other;
  Touched touches(index_t r, index_t c) const { return {{out, r, c}, {other, r, c}}; }
  template <class Arch>
  auto column(index_t c) const {
    return [o = out, y = other, c](index_t r, Floats<Arch> sum)
               KNNBERT_ALWAYS_INLINE_CALL { store_at<Arch>(o, r, c, sum + load_at<Arch>(y, r, c)); };
  }
};

/// out = sum + bias
struct AddBias {
  View out;
  const float* bias;
  Touched touches(index_t r, index_t c) const { return {{out, r, c}, {}}; }
  template <class Arch>
  auto column(index_t c) const {
    return [o = out, b = load<Arch>(bias + c), c](index_t r, Floats<Arch> sum)
               KNNBERT_ALWAYS_INLINE_CALL { store_at<Arch>(o, r, c, sum + b); };
  }
};

/// out = Activation(sum + bias); the pre-activation is kept for the backward pass when `before` is not empty
template <class Activation, bool Keep>
struct Activate {
  View out, before;
  const float* bias;
  Touched touches(index_t r, index_t c) const { return {{out, r, c}, Keep ? Lines{before, r, c} : Lines{}}; }
  template <class Arch>
  auto column(index_t c) const {
    return [o = out, kept = before, b = load<Arch>(bias + c), c](index_t r, Floats<Arch> sum)
               KNNBERT_ALWAYS_INLINE_CALL {
                 const auto x = sum + b;
                 if constexpr (Keep) store_at<Arch>(kept, r, c, x);
                 else (void)kept;
                 store_at<Arch>(o, r, c, Activation::template value<Arch>(x));
               };
  }
};

template <Precision P>
inline constexpr bool in_registers<Activate<CoarseGelu<P>, false>> = true;

/// What finishes a product in place of an epilogue where its result is lowered to P next.
template <Precision P, class Epilogue>
const Epilogue& coarse(const Epilogue& epilogue) {
  return epilogue;
}
template <Precision P>
Activate<CoarseGelu<P>, false> coarse(const Activate<Gelu, false>& epilogue) {
  return {epilogue.out, epilogue.before, epilogue.bias};
}

/// out = sum * Activation'(before)
template <class Activation>
struct ActivateBackward {
  View out;
  ConstView before;
  Touched touches(index_t r, index_t c) const { return {{out, r, c}, {before, r, c}}; }
  template <class Arch>
  auto column(index_t c) const {
    return [o = out, x = before, c](index_t r, Floats<Arch> sum) KNNBERT_ALWAYS_INLINE_CALL {
      store_at<Arch>(o, r, c, sum * Activation::template derivative<Arch>(load_at<Arch>(x, r, c)));
    };
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
  if constexpr (std::is_same_v<Arch, Dispatched>)
    return dispatch<ActivateRowsBackward<Activation>>(d_out, before, d_before);
  else
    for (index_t r = 0; r < before.rows(); ++r)
      for (index_t c = 0; c < before.cols(); c += lanes<Arch>)
        ActivateBackward<Activation>{d_before, before}.template column<Arch>(c)(r, load_at<Arch>(d_out, r, c));
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
  auto column(index_t c) const {
    return [o = out, other = residual, drop = dropout, b = load<Arch>(bias + c), c](index_t r, Floats<Arch> sum)
               KNNBERT_ALWAYS_INLINE_CALL {
                 const auto x = sum + b, y = load_at<Arch>(other, r, c);
                 if constexpr (Drop)
                   store_at<Arch>(o, r, c, xsimd::fma(x, dropout_factors<Arch>(drop, drop.row_keys[r], c), y));
                 else (void)drop, store_at<Arch>(o, r, c, x + y);
               };
  }
};
template <>
inline constexpr bool in_registers<AddResidual<false>> = true;

}  // namespace knnbert::inline v0_1::kernel
