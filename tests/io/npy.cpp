#include "knnbert/io/npy.hpp"

#include "catch.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/core/matrix.hpp"

using namespace knnbert;
using knnbert_test::from_hex;
using knnbert_test::slurp;
using knnbert_test::TemporaryFolder;

namespace {

// Written by numpy: float32 [[1, 2, 3], [4, 5, 6.5]] in version 1, int64 [1, -2, 2**40] in version 2, Fortran order.
const std::string floats = from_hex(
    "934e554d5059010076007b276465736372273a20273c6634272c2027666f727472616e5f6f72646572273a2046616c73652c"
    "20277368617065273a2028322c2033292c207d20202020202020202020202020202020202020202020202020202020202020"
    "2020202020202020202020202020202020202020202020202020200a0000803f0000004000004040000080400000a0400000"
    "d040");
const std::string integers = from_hex(
    "934e554d50590200740000007b276465736372273a20273c6938272c2027666f727472616e5f6f72646572273a2046616c73"
    "652c20277368617065273a2028332c292c207d20202020202020202020202020202020202020202020202020202020202020"
    "2020202020202020202020202020202020202020202020202020200a0100000000000000feffffffffffffff000000000001"
    "0000");
const std::string fortran = from_hex(
    "934e554d5059010076007b276465736372273a20273c6634272c2027666f727472616e5f6f72646572273a20547275652c20"
    "277368617065273a2028322c2032292c207d2020202020202020202020202020202020202020202020202020202020202020"
    "2020202020202020202020202020202020202020202020202020200a0000803f000040400000004000008040");

/// A version 1 file with the given dictionary.
std::string with_header(std::string text, std::string_view data = "") {
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(text.size());
  return file + '\0' + text + std::string(data);
}

}  // namespace

TEST_CASE("npy files of numpy are read") {
  const TemporaryFolder folder;
  const auto a = read_npy<float>(folder.file("a.npy", floats));
  CHECK(a.shape == Shape{2, 3});
  CHECK(a.values == std::vector<float>{1, 2, 3, 4, 5, 6.5f});
  const auto b = read_npy<std::int64_t>(folder.file("b.npy", integers));
  CHECK(b.shape == Shape{3});
  CHECK(b.values == std::vector<std::int64_t>{1, -2, std::int64_t{1} << 40});
}

TEST_CASE("npy files are written as numpy does") {
  const TemporaryFolder folder;
  const std::vector<float> values{1, 2, 3, 4, 5, 6.5f};
  write_npy<float>(folder / "a.npy", values, {2, 3});
  CHECK(slurp(folder / "a.npy") == floats);
  Matrix matrix(2, 3);  // rows lie apart
  copy(ConstView(values.data(), 2, 3), matrix);
  write_npy(folder / "b.npy", ConstView(matrix));
  CHECK(slurp(folder / "b.npy") == floats);
  const std::vector<std::int32_t> ids{7, -8};
  write_npy<std::int32_t>(folder / "c.npy", ids, {2});
  CHECK(read_npy<std::int32_t>(folder / "c.npy").values == ids);
  write_npy<float>(folder / "d.npy", std::vector<float>{3}, {});
  CHECK(read_npy<float>(folder / "d.npy").shape.empty());
  write_npy<float>(folder / "e.npy", {}, {0, 384});
  CHECK(read_npy<float>(folder / "e.npy").shape == Shape{0, 384});
  CHECK_THROWS_AS(write_npy<float>(folder / "a.npy", values, {2, 2}), ShapeError);
  CHECK_THROWS_AS(write_npy<float>(folder / "a.npy", std::vector<float>{1}, Shape(33, 1)), ShapeError);
  CHECK(slurp(folder / "a.npy") == floats);
}

TEST_CASE("npy files of another kind are refused") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(read_npy<std::int64_t>(folder.file("a", floats)), FormatError);
  CHECK_THROWS_AS(read_npy<float>(folder.file("a", fortran)), FormatError);
  CHECK_THROWS_AS(read_npy<float>(folder.file("a", "not numpy at all")), FormatError);
  CHECK_THROWS_AS(read_npy<float>(folder.file("a", floats + "x")), FormatError);
  auto version = floats;
  version[6] = 4;
  CHECK_THROWS_AS(read_npy<float>(folder.file("a", version)), FormatError);
}

TEST_CASE("hostile npy headers are FormatErrors") {
  const TemporaryFolder folder;
  const std::string start = "{'descr': '<f4', 'fortran_order': False, 'shape': ";
  CHECK(read_npy<float>(folder.file("a", with_header(start + "(0,)}"))).values.empty());
  for (const char* rest : {"(-1,)}", "(4611686018427387904, 4)}", "(99999999999999999999,)}", "(1000000000000,)}", "(2",
                           "()", "(1,,)}", "(1.5,)}", "(a,)}", "[0]}", "(0,)} x", "(0,), 'extra': 1}", "(0,"})
    CHECK_THROWS_AS(read_npy<float>(folder.file("a", with_header(start + rest))), FormatError);
  for (const char* text : {"", "{}", "{'descr'", "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (0,)}",
                           "{'descr': '|O', 'fortran_order': False, 'shape': (0,)}", "{'shape': (0,)}"})
    CHECK_THROWS_AS(read_npy<float>(folder.file("a", with_header(text))), FormatError);
  std::string many = "(";
  for (int i = 0; i < 33; ++i) many += "1,";
  CHECK_THROWS_AS(read_npy<float>(folder.file("a", with_header(start + many + ")}", "0000"))), FormatError);
  for (std::size_t length = 0; length < floats.size(); ++length)
    CHECK_THROWS_AS(read_npy<float>(folder.file("a", floats.substr(0, length))), FormatError);
}
