#pragma once
#include <cstdint>

#include "knnbert/core/rng.hpp"
#include "knnbert/core/view.hpp"
#include "knnbert/kernel/arch.hpp"

namespace knnbert::inline v0_1 {

/// Inverted dropout whose masks are recomputed instead of stored: element `column` of a row is kept or dropped as a
/// pure function of the row's key. rate = 0 switches it off. One object is one site (one dropout layer) of one step.
struct Dropout {
  float rate = 0;
  std::uint64_t site = 0;
  const std::uint64_t* row_keys = nullptr;  // [rows], a function of (seed, step, example, position)

  bool active() const { return rate > 0 && row_keys; }
  Dropout at_site(std::uint64_t number) const { return {rate, mix_bits(number + 1), row_keys}; }
  Dropout from_row(index_t row) const { return {rate, site, row_keys ? row_keys + row : nullptr}; }
};

namespace kernel {

/// Factors of `lanes` consecutive elements from `column` on: 0 or 1 / (1 - rate).
/// The 32-bit finalizer is Wellons' lowbias32, keyed before and within its rounds.
template <class Arch>
KNNBERT_ALWAYS_INLINE Floats<Arch> dropout_factors(const Dropout& dropout, std::uint64_t row_key, index_t column) {
  using Bits = xsimd::batch<std::uint32_t, Arch>;
  using Signed = Integers<Arch>;
  const std::uint64_t key = row_key ^ dropout.site;
  const auto steps = bits_as<Bits>(
      xsimd::batch_cast<std::int32_t>(lane_numbers<Arch>() + Floats<Arch>(static_cast<float>(column))));
  Bits x = steps * Bits(0x9e3779b9u) + Bits(static_cast<std::uint32_t>(key));
  x = (x ^ (x >> 16)) * Bits(0x7feb352du);
  x = x ^ Bits(static_cast<std::uint32_t>(key >> 32));
  x = (x ^ (x >> 15)) * Bits(0x846ca68bu);
  const Signed draw = bits_as<Signed>((x ^ (x >> 16)) >> 8);  // 24 bits: comparable as signed numbers
  const Signed threshold(static_cast<std::int32_t>(dropout.rate * 16777216.0f));
  const Signed kept = bits_as<Signed>(Floats<Arch>(1 / (1 - dropout.rate)));
  return bits_as<Floats<Arch>>(where_less<Arch>(draw, threshold, Signed(0), kept));
}

/// to = from with dropped elements set to 0 and the others scaled; from and to may be the same.  [R, C]
template <class Arch>
void apply_dropout(ConstView from, const Dropout& dropout, View to) {
  for (index_t r = 0; r < from.rows(); ++r) {
    const float* x = from.data() + r * from.stride();
    float* y = to.data() + r * to.stride();
    for (index_t c = 0; c < from.cols(); c += lanes<Arch>)
      store<Arch>(y + c, load<Arch>(x + c) * dropout_factors<Arch>(dropout, dropout.row_keys[r], c));
  }
}
struct ApplyDropout : Entry<void(ConstView, const Dropout&, View)> {
  template <class Arch>
  static constexpr type* function = apply_dropout<Arch>;
};
template <>
inline void apply_dropout<Dispatched>(ConstView from, const Dropout& dropout, View to) {
  dispatch<ApplyDropout>(from, dropout, to);
}

}  // namespace kernel
}  // namespace knnbert::inline v0_1
