#pragma once
#include <cstddef>
#include <type_traits>

#include "knnbert/kernel/accumulate.hpp"
#include "knnbert/kernel/attention_bf16.hpp"
#include "knnbert/kernel/attention_int8.hpp"
#include "knnbert/kernel/layer_norm_lowered.hpp"
#include "knnbert/kernel/lower.hpp"
#include "knnbert/kernel/lower_panels.hpp"
#include "knnbert/kernel/masked_softmax.hpp"
#include "knnbert/kernel/mean_rows.hpp"
#include "knnbert/kernel/near_pairs.hpp"
#include "knnbert/kernel/peak.hpp"
#include "knnbert/kernel/product.hpp"
#include "knnbert/kernel/transpose.hpp"
#include "knnbert/kernel/update.hpp"

/// All kernels that can be chosen at run time, as a table of functions for each instruction set.
namespace knnbert::inline v0_1::kernel {

using AnyFunction = void (*)();

template <class... E>
struct Entries {
  static constexpr std::size_t count = sizeof...(E);

  template <class X>
  static constexpr std::size_t index_of() {
    std::size_t i = 0;
    (void)((std::is_same_v<X, E> || (++i, false)) || ...);
    static_assert((std::is_same_v<X, E> || ...), "this kernel is missing in kernel/table.hpp");
    return i;
  }
  template <class Arch>
  static void fill(AnyFunction* table) {
    ((*table++ = reinterpret_cast<AnyFunction>(E::template function<Arch>)), ...);
  }
};

template <class... A, class... B>
Entries<A..., B...> operator+(Entries<A...>, Entries<B...>);

template <Precision P>
using ActivateOnly = std::conditional_t<P == Precision::fp32, Activate<Gelu, false>, Activate<CoarseGelu<P>, false>>;
template <Precision P>
using ForwardProducts =
    Entries<WeightProduct<P, AddBias>, WeightProduct<P, ActivateOnly<P>>, WeightProduct<P, Activate<Gelu, true>>,
            WeightProduct<P, AddResidual<false>>, WeightProduct<P, AddResidual<true>>>;
template <Precision P>
using BackwardProducts = Entries<WeightProduct<P, Store>, WeightProduct<P, StoreSum>,
                                 WeightProduct<P, ActivateBackward<Gelu>>, AddWeightGradient<P>>;
using Int8Products = Entries<WeightProduct<Precision::int8, Dequantize<AddBias>>,
                             WeightProduct<Precision::int8, Dequantize<ActivateLowered<Identity>>>,
                             WeightProduct<Precision::int8, Dequantize<ActivateOnly<Precision::int8>>>,
                             WeightProduct<Precision::int8, Dequantize<Activate<Gelu, true>>>,
                             WeightProduct<Precision::int8, Dequantize<AddResidual<false>>>,
                             WeightProduct<Precision::int8, Dequantize<AddResidual<true>>>>;
using Rows = Entries<ApplyDropout, ActivateRows<Relu>, ActivateRows<GeluTanh>, ActivateRows<Tanh>,
                     ActivateRowsBackward<Relu>, ActivateRowsBackward<GeluTanh>, LayerNorm, LayerNormBackward,
                     AddLayerNormGradient, AddColumnSums, MeanRows, AddMeanRowsBackward, Peak>;
using Weights =
    Entries<NativeBf16, LowerRows<Precision::bf16>, LowerRows<Precision::int8>, LowerPanels<Precision::bf16>,
            LowerPanels<Precision::int8>, LayerNormLowered<Precision::bf16>, LayerNormLowered<Precision::int8>,
            PairRows, PairLoweredRows, WeightProduct<Precision::bf16, ActivateLowered<Identity>>,
            WeightProduct<Precision::bf16, ActivateLowered<CoarseGelu<Precision::bf16>>>, TransposePanels, AdamWUpdate,
            MomentumUpdate, Scale, SumOfSquares>;
using Heads = Entries<Attention, AttentionBackward, AttentionBf16<false>, AttentionBf16<true>, AttentionInt8,
                      QuantizeValues, ShortestForInt8Attention>;
using Keys = Entries<Scores, SquaredDistances, DotOfRows, NearFew, WeightProduct<Precision::bf16, CollectNear>,
                     PairScore, Accumulate, AccumulateDifferences, BoundEnds, CollectInEnds, LargestIncluded,
                     SumIncluded, ExponentiateIncluded, ScaleRow>;

using AllEntries = decltype(ForwardProducts<Precision::fp32>() + BackwardProducts<Precision::fp32>() +
                            ForwardProducts<Precision::bf16>() + BackwardProducts<Precision::bf16>() + Int8Products() +
                            Rows() + Weights() + Heads() + Keys());

}  // namespace knnbert::inline v0_1::kernel
