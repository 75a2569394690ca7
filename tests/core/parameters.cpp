#include "knnbert/core/parameters.hpp"

#include <set>

#include "catch.hpp"

using namespace knnbert;

namespace {

std::shared_ptr<const ParameterTable> table_of(auto... declarations) {
  ParameterTable table;
  (declarations(table), ...);
  return std::make_shared<const ParameterTable>(std::move(table));
}

Matrix numbered(index_t rows, index_t cols) {
  Matrix m(rows, cols);
  for (index_t r = 0; r < rows; ++r)
    for (index_t c = 0; c < cols; ++c) m(r, c) = static_cast<float>(1 + r * cols + c);
  return m;
}

}  // namespace

TEST_CASE("parameters: panels come back as they went in, for odd sizes, and their padding stays zero") {
  for (const index_t rows : {1, 2, 15, 16, 17, 31, 48, 100})
    for (const index_t cols : {1, 3, 16, 20, 33}) {
      CAPTURE(rows, cols);
      const auto table = table_of([&](ParameterTable& t) { t.add_weight("w", rows, cols); });
      ParameterBlock block(table);
      const Matrix in = numbered(rows, cols);
      block.write(0, in);
      Matrix out(rows, cols);
      block.read(0, out);
      bool equal = true;
      for (index_t r = 0; r < rows; ++r) equal &= std::equal(in.row(r).begin(), in.row(r).end(), out.row(r).begin());
      CHECK(equal);
      CHECK(block.size() == round_up(rows, 16) * cols);
      index_t zeros = 0;
      for (index_t i = 0; i < block.size(); ++i) zeros += block.data()[i] == 0;
      CHECK(zeros == block.size() - rows * cols);
    }
}

TEST_CASE("parameters: panels are [N / 16][K][16], rows and vectors lie in order") {
  const auto table =
      table_of([](ParameterTable& t) { t.add_weight("w", 20, 3); }, [](ParameterTable& t) { t.add_rows("r", 3, 5); },
               [](ParameterTable& t) { t.add_vector("v", 7); });
  const auto& w = (*table)[0];
  CHECK(w.at(0, 0) == 0);
  CHECK(w.at(1, 0) == 1);
  CHECK(w.at(15, 0) == 15);
  CHECK(w.at(0, 1) == 16);
  CHECK(w.at(16, 0) == 48);
  CHECK(w.at(19, 2) == 48 + 32 + 3);
  const auto& r = (*table)[1];
  CHECK(r.at(2, 4) == r.offset + 14);
  const auto& v = (*table)[2];
  CHECK(v.at(0, 6) == v.offset + 6);
}

TEST_CASE("parameters: slices start at cache lines and never overlap") {
  const auto table =
      table_of([](ParameterTable& t) { t.add_weight("w", 20, 3); }, [](ParameterTable& t) { t.add_rows("r", 3, 5); },
               [](ParameterTable& t) { t.add_vector("v", 7); }, [](ParameterTable& t) { t.add_lookup("l", 9, 5); });
  std::set<index_t> used;
  for (const auto& p : table->all()) {
    CHECK(p.offset % 16 == 0);
    CHECK(p.offset + p.size <= table->size());
    for (index_t row = 0; row < p.rows; ++row)
      for (index_t col = 0; col < p.cols; ++col) {
        const index_t at = p.at(row, col);
        CHECK((at >= p.offset && at < p.offset + p.size));
        CHECK(used.insert(at).second);
      }
  }
  CHECK(table->size() % 16 == 0);
  const ParameterBlock block(table);
  CHECK(block.size() == table->size());
  CHECK(block.slice(2) == block.data() + (*table)[2].offset);
}

TEST_CASE("parameters: names, decay, lookup table last") {
  ParameterTable table;
  CHECK(table.add_weight("w", 2, 2) == 0);
  CHECK(table.add_vector("b", 2) == 1);
  CHECK(table.add_rows("p", 2, 2) == 2);
  CHECK_FALSE(table.has_lookup());
  CHECK(table.dense_size() == table.size());
  CHECK_THROWS_AS(table.add_vector("w", 3), OptionError);
  CHECK(table.count() == 3);
  CHECK(table.add_lookup("l", 5, 2) == 3);
  CHECK_THROWS_AS(table.add_vector("late", 3), OptionError);
  CHECK(table.has_lookup());
  CHECK(table.lookup().name == "l");
  CHECK(table.dense_size() == table.lookup().offset);
  CHECK(table.find("b") == 1);
  CHECK(table.find("B") == -1);
  CHECK(table[0].decays);
  CHECK_FALSE(table[1].decays);
  CHECK(table[1].vector);
  CHECK(table[3].decays);
}

TEST_CASE("parameters: a block refuses values of another shape; a copy is another encoder") {
  const auto table = table_of([](ParameterTable& t) { t.add_weight("w", 4, 3); });
  ParameterBlock block(table);
  Matrix transposed(3, 4);
  CHECK_THROWS_AS(block.write(0, transposed), ShapeError);
  CHECK_THROWS_AS(block.read(0, transposed), ShapeError);
  ParameterBlock other = block;
  other.write(0, numbered(4, 3));
  CHECK(block.data()[0] == 0);
  CHECK(other.data()[0] == 1);
  CHECK(&other.table() == &block.table());
}
