#pragma once
#include "knnbert/core/lowered_weight.hpp"
#include "knnbert/kernel/lower.hpp"

/// Weights in panels from floats to the lanes of a reduced precision.
namespace knnbert::inline v0_1::kernel {

namespace detail {

template <class Arch, class Dot>
void lower_panels(const float* panels, index_t depth, index_t first, index_t last, LoweredWeight& to) {
  using F = Floats<Arch>;
  using I = Integers<Arch>;
  const index_t count = lanes_of<Dot>(depth);
  for (index_t panel = first; panel < last; ++panel)
    for (index_t j = 0; j < panel_width; j += lanes<Arch>) {
      const float* w = panels + panel * depth * panel_width + j;
      float* out = to.panels.data() + panel * count * panel_width + j;
      const auto element = [&](index_t k) { return k < depth ? load<Arch>(w + k * panel_width) : F(0.0f); };
      if constexpr (Dot::precision == Precision::bf16) {
        for (index_t l = 0; l < count; ++l) {
          const I low = round_to_bf16<Arch>(element(2 * l)), high = round_to_bf16<Arch>(element(2 * l + 1));
          store<Arch>(out + l * panel_width, bits_as<F>(high | ((low >> 16) & I(0xffff))));
        }
      } else {
        F most(0.0f);
        for (index_t k = 0; k < depth; ++k) most = xsimd::max(most, xsimd::abs(element(k)));
        const F factor = xsimd::select(most > F(0.0f), F(127.0f) / most, F(0.0f));
        I total(0);
        for (index_t l = 0; l < count; ++l) {
          I lane(0);
          for (index_t e = 0; e < 4; ++e) {
            const I q = xsimd::batch_cast<std::int32_t>(xsimd::nearbyint(element(4 * l + e) * factor));
            total = total + q;
            lane = lane | ((q & I(0xff)) << static_cast<int>(8 * e));
          }
          store<Arch>(out + l * panel_width, bits_as<F>(lane));
        }
        store<Arch>(to.scales.data() + panel * panel_width + j, most * F(1.0f / 127.0f));
        store<Arch>(to.sums.data() + panel * panel_width + j, xsimd::batch_cast<float>(total));
      }
    }
}

}  // namespace detail

template <Precision P>
struct LowerPanels;

/// Lowers a weight [N, K] from panels [N / 16][K][16], for output panels [first, last).
template <class Arch, class Dot>
void lower_panels(const float* panels, index_t depth, index_t first, index_t last, LoweredWeight& to) {
  if constexpr (std::is_same_v<Arch, Dispatched>)
    return dispatch<LowerPanels<Dot::precision>>(panels, depth, first, last, to);
  else detail::lower_panels<Arch, Dot>(panels, depth, first, last, to);
}
template <Precision P>
struct LowerPanels : Entry<void(const float*, index_t, index_t, index_t, LoweredWeight&)> {
  template <class Arch>
  static constexpr auto* function = &lower_panels<Arch, ProductsIn<P>>;
};

}  // namespace knnbert::inline v0_1::kernel
