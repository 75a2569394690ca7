#include "knnbert/io/delimited.hpp"

#include "catch.hpp"
#include "io/temporary_folder.hpp"

using namespace knnbert;
using knnbert_test::message_of;

namespace {

using Fields = std::vector<std::string>;

template <class Reader>
std::vector<Fields> all(std::string_view text, std::vector<index_t>* lines = nullptr) {
  std::vector<Fields> rows;
  DelimitedRow row;
  for (Reader reader(text, "f"); reader.next(row);) {
    rows.push_back(row.fields);
    if (lines) lines->push_back(row.line);
  }
  return rows;
}

}  // namespace

TEST_CASE("tsv has no quoting") {
  std::vector<index_t> lines;
  const auto rows = all<TsvReader>("a\t\"b\r\n\n\t\n\"\" c\"\tx\t", &lines);
  CHECK(rows == std::vector<Fields>{{"a", "\"b"}, {"", ""}, {"\"\" c\"", "x", ""}});
  CHECK(lines == std::vector<index_t>{1, 3, 4});
  CHECK(all<TsvReader>("").empty());
}

TEST_CASE("csv follows RFC 4180") {
  std::vector<index_t> lines;
  const auto rows = all<CsvReader>("a,b\r\n\"x,\"\"y\"\"\r\nz\",\"\"\r\n\r\n,\n1\"2, 3 \n\"\"\"\",end", &lines);
  CHECK(rows == std::vector<Fields>{{"a", "b"}, {"x,\"y\"\r\nz", ""}, {"", ""}, {"1\"2", " 3 "}, {"\"", "end"}});
  CHECK(lines == std::vector<index_t>{1, 2, 5, 6, 7});
  CHECK(all<CsvReader>("").empty());
  CHECK(all<CsvReader>("\n\r\n").empty());
  CHECK(all<CsvReader>("a,") == std::vector<Fields>{{"a", ""}});
  CHECK(all<CsvReader>("a,b\r") == std::vector<Fields>{{"a", "b"}});
  CHECK(all<CsvReader>("a\rb") == std::vector<Fields>{{"a\rb"}});
  CHECK(all<CsvReader>("\"a\"") == std::vector<Fields>{{"a"}});
}

TEST_CASE("broken quotes name their line") {
  CHECK(message_of<FormatError>([] { all<CsvReader>("a\nb,\"c\nd"); }) == "f:2: a quoted field is never closed");
  CHECK(message_of<FormatError>([] { all<CsvReader>("a\n\"b\nc\"d,e"); }) ==
        "f:3: 'd' after a closing quote, a separator or the end of the line expected");
}

TEST_CASE("a row of countless columns is refused") {
  CHECK_THROWS_AS(all<TsvReader>(std::string(70000, '\t')), FormatError);
  CHECK_THROWS_AS(all<CsvReader>(std::string(70000, ',')), FormatError);
  CHECK(all<TsvReader>(std::string(65535, '\t')).front().size() == 65536);
}
