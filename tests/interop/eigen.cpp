#include "knnbert/interop/eigen.hpp"

#include "catch.hpp"
#include "knnbert/core/matrix.hpp"

using namespace knnbert;

TEST_CASE("a padded matrix is multiplied by Eigen in place") {
  Matrix a(2, 3), b(3, 2), c(2, 2);
  for (index_t i = 0; i < 6; ++i) a(i / 3, i % 3) = static_cast<float>(i), b(i / 2, i % 2) = static_cast<float>(i + 1);
  as_eigen(View(c)) = as_eigen(ConstView(a)) * as_eigen(ConstView(b));
  CHECK(c(0, 0) == 13);
  CHECK(c(0, 1) == 16);
  CHECK(c(1, 0) == 40);
  CHECK(c(1, 1) == 52);
}

TEST_CASE("an Eigen matrix is seen as rows without a copy") {
  EigenRows m(2, 3);
  m << 1, 2, 3, 4, 5, 6;
  const View view = as_view(m);
  CHECK(view(1, 0) == 4);
  view(1, 2) = 9;
  CHECK(m(1, 2) == 9);
  CHECK(as_view(std::as_const(m)).row(0)[1] == 2);
}

template <class M>
concept EigenViewed = requires(M&& matrix) {
  as_view(std::forward<M>(matrix));
};
static_assert(EigenViewed<EigenRows&> && EigenViewed<const EigenRows&>);
static_assert(!EigenViewed<EigenRows> && !EigenViewed<Eigen::MatrixXf&> &&
                  !EigenViewed<decltype(EigenRows().topRows(1))>,
              "a view of a copy that is gone");
