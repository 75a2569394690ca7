#include "knnbert/interop/xtensor.hpp"

#include <xtensor/xmath.hpp>
#include "catch.hpp"
#include "knnbert/core/matrix.hpp"

using namespace knnbert;

TEST_CASE("xtensor reduces a padded matrix in place") {
  Matrix a(2, 3);
  for (index_t i = 0; i < 6; ++i) a(i / 3, i % 3) = static_cast<float>(i);
  auto x = as_xtensor(ConstView(a));
  CHECK(x.shape(0) == 2);
  CHECK(x(1, 2) == 5);
  const xt::xtensor<float, 1> sums = xt::sum(x, {1});
  CHECK(sums(0) == 3);
  CHECK(sums(1) == 12);
  as_xtensor(View(a))(0, 1) = 7;
  CHECK(a(0, 1) == 7);
}

TEST_CASE("an xtensor is seen as rows without a copy") {
  xt::xtensor<float, 2> t{{1, 2, 3}, {4, 5, 6}};
  const View view = as_view(t);
  view(0, 2) = 8;
  CHECK(t(0, 2) == 8);
  CHECK(as_view(std::as_const(t)).row(1)[0] == 4);
}

template <class T>
concept TensorViewed = requires(T&& tensor) {
  as_view(std::forward<T>(tensor));
};
static_assert(TensorViewed<xt::xtensor<float, 2>&> && TensorViewed<const xt::xtensor<float, 2>&>);
static_assert(!TensorViewed<xt::xtensor<float, 2>> && !TensorViewed<xt::xarray<float>&> &&
                  !TensorViewed<xt::xtensor<float, 2, xt::layout_type::column_major>&>,
              "a view of a copy that is gone");
