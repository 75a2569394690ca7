#include "knnbert/core/gradients.hpp"

#include <map>

#include "catch.hpp"

using namespace knnbert;

namespace {

std::shared_ptr<const ParameterTable> table_of(index_t dense, index_t rows, index_t cols) {
  ParameterTable table;
  if (dense) table.add_vector("dense", dense);
  if (rows) table.add_lookup("lookup", rows, cols);
  return std::make_shared<const ParameterTable>(std::move(table));
}

/// Keeps what it is told, and gives it back.
struct MapArchive {
  std::map<std::string, std::vector<std::int64_t>> values;
  bool reading = false;
  void operator()(const std::string& name, std::vector<std::int64_t>& value) {
    if (reading) value = values.at(name);
    else values[name] = value;
  }
};

using Rows = std::vector<index_t>;

}  // namespace

TEST_CASE("gradients: touched rows are active for ever, and clearing zeroes what a step wrote") {
  Gradients gradients(table_of(20, 10, 3));
  CHECK(gradients.active_rows().empty());
  const float* lookup = gradients.slice(1);
  for (const index_t row : {7, 2, 7, 9}) {
    gradients.touch(row);
    for (index_t c = 0; c < 3; ++c) gradients.slice(1)[row * 3 + c] += 1;
  }
  gradients.slice(0)[19] = 4;
  CHECK(gradients.active_rows() == Rows{2, 7, 9});
  CHECK(lookup[7 * 3] == 2);
  gradients.clear();
  for (index_t i = 0; i < gradients.table().size(); ++i) CHECK(gradients.data()[i] == 0);
  CHECK(gradients.active_rows() == Rows{2, 7, 9});
  gradients.touch(0);
  gradients.touch(2);
  gradients.slice(1)[2 * 3 + 1] = 5;
  CHECK(gradients.active_rows() == Rows{0, 2, 7, 9});
  gradients.clear();
  CHECK(lookup[2 * 3 + 1] == 0);
}

TEST_CASE("gradients: ranges ascend, do not overlap and cover the dense part and the active rows exactly") {
  for (const index_t dense : {1, 16, 65535, 65536, 65537, 200000}) {
    CAPTURE(dense);
    Gradients gradients(table_of(dense, 50, 6));
    for (const index_t row : {49, 0, 13, 14}) gradients.touch(row);
    const auto ranges = gradients.ranges();
    const index_t start = gradients.table().dense_size();
    index_t covered = 0, end = 0;
    Rows rows;
    for (const Range& range : ranges) {
      CHECK(range.begin >= end);
      CHECK(range.end > range.begin);
      if (range.begin < start) {
        CHECK(range.begin == covered);
        CHECK(range.end <= start);
        covered = range.end;
      } else {
        CHECK(range.end - range.begin == 6);
        CHECK((range.begin - start) % 6 == 0);
        rows.push_back((range.begin - start) / 6);
      }
      end = range.end;
    }
    CHECK(covered == start);
    CHECK(rows == Rows{0, 13, 14, 49});
  }
}

TEST_CASE("gradients: a table without lookup has only its dense part") {
  Gradients gradients(table_of(5, 0, 0));
  REQUIRE(gradients.ranges().size() == 1);
  CHECK(gradients.ranges()[0].end == 16);
  CHECK(gradients.active_rows().empty());
  gradients.clear();
}

TEST_CASE("gradients: an archive that only listens leaves the step's rows to be cleared") {
  Gradients gradients(table_of(4, 10, 2));
  gradients.touch(8);
  gradients.slice(1)[8 * 2 + 1] = 3;
  MapArchive archive;
  gradients.archive_rows(archive);
  CHECK(gradients.slice(1)[8 * 2 + 1] == 3);
  gradients.clear();
  CHECK(gradients.slice(1)[8 * 2 + 1] == 0);
}

TEST_CASE("gradients: active rows survive an archive; impossible ones are refused and change nothing") {
  Gradients gradients(table_of(4, 10, 2));
  for (const index_t row : {8, 3}) gradients.touch(row);
  MapArchive archive;
  gradients.archive_rows(archive);
  CHECK(archive.values.at("active_rows") == std::vector<std::int64_t>{3, 8});
  CHECK(gradients.active_rows() == Rows{3, 8});

  archive.reading = true;
  Gradients restored(table_of(4, 10, 2));
  restored.touch(1);
  restored.archive_rows(archive);
  CHECK(restored.active_rows() == Rows{3, 8});
  restored.touch(3);
  restored.touch(5);
  CHECK(restored.active_rows() == Rows{3, 5, 8});

  for (const auto& rows : {std::vector<std::int64_t>{3, 5, 8}, {1, 3}}) {
    archive.values["active_rows"] = rows;
    restored.touch(5);
    restored.slice(1)[5 * 2] = 7;
    restored.archive_rows(archive);
    restored.clear();
    CHECK(restored.slice(1)[5 * 2] == 0);
  }
  archive.values["active_rows"] = {3, 5, 8};
  restored.archive_rows(archive);

  for (const std::vector<std::int64_t>& bad : {std::vector<std::int64_t>{10}, {-1}, {3, 3}, {5, 4}}) {
    archive.values["active_rows"] = bad;
    CHECK_THROWS_AS(restored.archive_rows(archive), FormatError);
    CHECK(restored.active_rows() == Rows{3, 5, 8});
  }
}
