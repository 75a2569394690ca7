#pragma once
#include <array>
#include <concepts>
#include <type_traits>
#include <xtensor/xadapt.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>

#include "knnbert/core/view.hpp"

/// Views of the library as xtensor expressions and back; nothing is copied.
namespace knnbert::inline v0_1 {

namespace detail {

/// Columns of the strided rows; what lies between the rows is never touched.
template <class T>
auto adapt_rows(BasicView<T> view) {
  const auto rows = static_cast<std::size_t>(view.rows()), stride = static_cast<std::size_t>(view.stride());
  const std::array<std::size_t, 2> shape{rows, stride};
  return xt::view(xt::adapt(view.data(), rows * stride, xt::no_ownership(), shape), xt::all(),
                  xt::range(index_t{0}, view.cols()));
}

}  // namespace detail

/// [rows, cols] over the view's memory, which must outlive the result.
inline auto as_xtensor(View view) { return detail::adapt_rows(view); }
inline auto as_xtensor(ConstView view) { return detail::adapt_rows(view); }

/// A row-major tensor [rows, cols] as rows; it must outlive the view. Nothing else, such as an xarray or a view of a
/// tensor, is converted to one: that copy would be gone.
template <class T>
  requires std::same_as<std::remove_const_t<T>, xt::xtensor<float, 2>>
auto as_view(T& tensor) -> std::conditional_t<std::is_const_v<T>, ConstView, View> {
  return {tensor.data(), static_cast<index_t>(tensor.shape(0)), static_cast<index_t>(tensor.shape(1))};
}

}  // namespace knnbert::inline v0_1
