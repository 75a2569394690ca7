#include "knnbert/core/matrix.hpp"

#include <numeric>

#include "catch.hpp"

using namespace knnbert;

namespace {

std::string shape_message(ConstView view, index_t rows, index_t cols) {
  try {
    require_shape("Place", view, rows, cols);
  } catch (const ShapeError& error) { return error.what(); }
  return "";
}

}  // namespace

TEST_CASE("view: elements, rows and parts of strided rows") {
  std::vector<float> floats(40);
  std::iota(floats.begin(), floats.end(), 0.0f);
  const View view(floats.data(), 4, 7, 10);
  CHECK(view.rows() == 4);
  CHECK(view.cols() == 7);
  CHECK(view.stride() == 10);
  CHECK(view(2, 3) == 23);
  CHECK(view.row(3).size() == 7);
  CHECK(view.row(3)[0] == 30);
  const View rows = view.row_range(1, 2);
  CHECK(rows.rows() == 2);
  CHECK(rows(1, 6) == 26);
  const View part = rows.col_range(2, 3);
  CHECK(part.cols() == 3);
  CHECK(part.stride() == 10);
  CHECK(part(0, 0) == 12);
  part(1, 2) = -1;
  CHECK(floats[24] == -1);
  const ConstView read = part;
  CHECK(read(1, 2) == -1);
  CHECK(view.row_range(4, 0).empty());
  CHECK(view.row_range(0, 0).rows() == 0);
  CHECK_FALSE(view.empty());
  CHECK(View().empty());
  const ConstView dense(floats.data(), 5, 8);
  CHECK(dense.stride() == 8);
  CHECK(dense(1, 1) == 9);
}

TEST_CASE("view: a wrong shape is named with what was expected") {
  const Matrix m(2, 3);
  CHECK(shape_message(m, 2, 3).empty());
  CHECK(shape_message(m, 3, 2) == "Place: [2, 3] given, [3, 2] expected");
  CHECK(shape_message(View(), 0, 0).empty());
}

TEST_CASE("matrix: rows are aligned, padded by a panel and never share a stride of 4,096 bytes") {
  for (const index_t cols : {1, 15, 16, 17, 384, 1008, 1024, 3072}) {
    Matrix m(3, cols);
    CHECK(m.stride() >= cols + panel_width);
    CHECK(m.stride() % panel_width == 0);
    CHECK(m.stride() * 4 % 64 == 0);
    if (cols % 1024 == 0) CHECK(m.stride() % 1024 != 0);
    CHECK(reinterpret_cast<std::uintptr_t>(m.row(2).data()) % 64 == 0);
  }
  CHECK(round_up(0, 16) == 0);
  CHECK(round_up(1, 16) == 16);
  CHECK(round_up(16, 16) == 16);
}

TEST_CASE("matrix: keeps its memory when it suffices, copies deeply") {
  Matrix m(10, 20);
  m.fill(3);
  const float* place = m.data();
  m.resize(4, 30);
  CHECK(m.data() == place);
  CHECK(m.rows() == 4);
  CHECK(m.cols() == 30);
  m(3, 29) = 8;
  Matrix other = m;
  other(3, 29) = 1;
  CHECK(m(3, 29) == 8);
  m.resize(100, 100);
  CHECK(m(99, 99) == 0);
  const Matrix empty(0, 5);
  CHECK(empty.rows() == 0);
  CHECK(ConstView(empty).empty());
}

TEST_CASE("matrix: copy moves elements between strides and refuses other shapes") {
  Matrix from(3, 5);
  for (index_t r = 0; r < 3; ++r)
    for (index_t c = 0; c < 5; ++c) from(r, c) = static_cast<float>(10 * r + c);
  std::vector<float> dense(15, -1.0f);
  copy(from, View(dense.data(), 3, 5));
  CHECK(dense[14] == 24);
  CHECK(dense[5] == 10);
  Matrix wide(3, 9);
  wide.fill(-1);
  copy(from, View(wide).col_range(2, 5));
  CHECK(wide(1, 1) == -1);
  CHECK(wide(1, 2) == 10);
  CHECK(wide(1, 7) == -1);
  CHECK_THROWS_AS(copy(from, wide), ShapeError);
  CHECK_THROWS_AS(copy(from, View(dense.data(), 5, 3)), ShapeError);
}
