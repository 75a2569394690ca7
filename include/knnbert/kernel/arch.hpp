#pragma once
#include <concepts>
#include <cstdint>
#include <xsimd/xsimd.hpp>

#include "knnbert/core/types.hpp"
#include "knnbert/kernel/default_arch.hpp"

#define KNNBERT_ALWAYS_INLINE inline __attribute__((always_inline))
#define KNNBERT_ALWAYS_INLINE_CALL __attribute__((always_inline))  // behind the parameters of a lambda

namespace knnbert::inline v0_1 {

template <class Arch>
using Floats = xsimd::batch<float, Arch>;
template <class Arch>
using Integers = xsimd::batch<std::int32_t, Arch>;

template <class Arch>
inline constexpr index_t lanes = static_cast<index_t>(Floats<Arch>::size);

/// Registers of the instruction set: they bound the register tile.
template <class Arch>
inline constexpr index_t registers = lanes<Arch> == 16 ? 32 : 16;

namespace kernel {

/// What people call the instruction set.
template <class Arch>
std::string_view instruction_set() {
  return Arch::name();
}
template <>
inline std::string_view instruction_set<Dispatched>() {
  return chosen_instruction_set();
}

template <class Arch>
KNNBERT_ALWAYS_INLINE Floats<Arch> load(const float* p) {
  return Floats<Arch>::load_unaligned(p);
}

template <class Arch>
KNNBERT_ALWAYS_INLINE void store(float* p, Floats<Arch> v) {
  v.store_unaligned(p);
}

/// The same bits as another kind of batch. xsimd 8 names the batch, later versions the type of its lanes.
template <class Batch, class T, class Arch>
KNNBERT_ALWAYS_INLINE Batch bits_as(const xsimd::batch<T, Arch>& v) {
  using Lane = typename Batch::value_type;
  if constexpr (requires {
                  { xsimd::bitwise_cast<Lane>(v) } -> std::same_as<Batch>;
                })
    return xsimd::bitwise_cast<Lane>(v);
  else
    return xsimd::bitwise_cast<Batch>(v);
}

/// The same 32-bit lanes as floats.
template <class Arch>
KNNBERT_ALWAYS_INLINE Floats<Arch> as_floats(Floats<Arch> v) {
  return v;
}
template <class Arch>
KNNBERT_ALWAYS_INLINE Floats<Arch> as_floats(Integers<Arch> v) {
  return bits_as<Floats<Arch>>(v);
}

/// Stores the first `count` lanes.
template <class Arch>
KNNBERT_ALWAYS_INLINE void store_first(float* p, Floats<Arch> v, index_t count) {
  alignas(64) float all[lanes<Arch>];
  v.store_aligned(all);
  for (index_t i = 0; i < count; ++i) p[i] = all[i];
}

/// 0, 1, 2, ... in the lanes.
template <class Arch>
KNNBERT_ALWAYS_INLINE Floats<Arch> lane_numbers() {
  alignas(64) float numbers[lanes<Arch>];
  for (index_t i = 0; i < lanes<Arch>; ++i) numbers[i] = static_cast<float>(i);
  return Floats<Arch>::load_aligned(numbers);
}

/// v in the lanes below count, `other` in the rest.
template <class Arch>
KNNBERT_ALWAYS_INLINE Floats<Arch> first_lanes(Floats<Arch> v, index_t count, Floats<Arch> other) {
  return xsimd::select(lane_numbers<Arch>() < Floats<Arch>(static_cast<float>(count)), v, other);
}

/// a where x < y, else b. By lanes of the difference's sign: xsimd 8.1 cannot select integers on AVX-512 without
/// optimization. x and y differ by less than 2^31.
template <class Arch>
KNNBERT_ALWAYS_INLINE Integers<Arch> where_less(Integers<Arch> x, Integers<Arch> y, Integers<Arch> a,
                                                Integers<Arch> b) {
  const Integers<Arch> all = (x - y) >> 31;
  return (a & all) | (b & ~all);
}

/// Sum of the lanes, always added in the same order.
template <class Arch>
KNNBERT_ALWAYS_INLINE float sum(Floats<Arch> v) {
#if XSIMD_VERSION_MAJOR >= 10
  return xsimd::reduce_add(v);
#else
  return xsimd::hadd(v);
#endif
}

/// Largest lane.
template <class Arch>
KNNBERT_ALWAYS_INLINE float largest(Floats<Arch> v) {
#if defined(__AVX512F__)
  if constexpr (lanes<Arch> == 16) return _mm512_reduce_max_ps(v);
#endif
  alignas(64) float all[lanes<Arch>];
  v.store_aligned(all);
  float best = all[0];
  for (index_t i = 1; i < lanes<Arch>; ++i) best = all[i] > best ? all[i] : best;
  return best;
}

}  // namespace kernel
}  // namespace knnbert::inline v0_1
