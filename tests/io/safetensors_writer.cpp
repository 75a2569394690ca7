#include "knnbert/io/safetensors_writer.hpp"

#include <fstream>

#include "catch.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/io/safetensors.hpp"

using namespace knnbert;
using knnbert_test::slurp;
using knnbert_test::TemporaryFolder;

namespace {

const std::vector<float> weight{1, -2.5f, 0.1f, 3e38f, 0, -0.0f};
const std::vector<double> precise{1e-300, 2};
const std::vector<std::int64_t> ids{1, -2, std::int64_t{1} << 40};
const std::vector<std::int32_t> small{-7};
const std::vector<std::uint8_t> blob{'a', 0, 255};

/// One tensor of each kind; also what tests/reference/safetensors_roundtrip.py expects.
SafeTensorsWriter example() {
  SafeTensorsWriter writer;
  writer.metadata("format", "pt").metadata("note", "\xc3\xa9 \"quoted\"");
  writer.add("blob", {3}, blob);
  writer.add("weight", {2, 3}, weight);
  writer.add("ids", {3}, ids);
  writer.add("precise", {1, 2}, precise);
  writer.add("small", {}, small);
  writer.add("none", {0, 4}, std::span<const float>());
  writer.add("brain", DType::bf16, {1}, std::as_bytes(std::span("\x80\x3f", 2)));
  writer.add_rows("rows", {2, 2, 3}, [](index_t row, std::span<float> out) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(10 * row) + static_cast<float>(i);
  });
  return writer;
}

}  // namespace

TEST_CASE("a checksum covers tensors of every kind, and metadata") {
  const TemporaryFolder folder;
  auto writer = example();
  writer.write(folder / "plain");
  CHECK_NOTHROW(SafeTensors(folder / "plain").require_checksum());
  writer.with_checksum();
  writer.write(folder / "a");
  CHECK_NOTHROW(SafeTensors(folder / "a").require_checksum());
  const std::string bytes = slurp(folder / "a");
  const std::size_t data = bytes.size() - 121, note = bytes.find("quoted");
  CHECK(slurp(folder / "plain").ends_with(bytes.substr(data)));
  for (std::size_t i = note; i < bytes.size(); i = i == note ? data : i + 1) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    std::ofstream(folder / "b", std::ios::binary) << changed;
    CHECK_THROWS_AS(SafeTensors(folder / "b").require_checksum(), FormatError);
  }
}

TEST_CASE("written tensors are read back") {
  const TemporaryFolder folder;
  example().write(folder / "a.safetensors");
  const SafeTensors file(folder / "a.safetensors");
  CHECK(file.names().size() == 8);
  CHECK(file.metadata().at("note") == "\xc3\xa9 \"quoted\"");
  CHECK(file.at("weight").shape == Shape{2, 3});
  CHECK(file.at("weight").as_floats() == weight);
  CHECK(file.at("precise").as_floats() == std::vector<float>{0, 2});
  CHECK(file.at("ids").as_int64s() == ids);
  CHECK(file.at("small").as_int64s() == std::vector<std::int64_t>{-7});
  CHECK(file.at("blob").as_int64s() == std::vector<std::int64_t>{97, 0, 255});
  CHECK(file.at("brain").as_floats() == std::vector<float>{1});
  CHECK(file.at("none").shape == Shape{0, 4});
  CHECK(file.at("rows").as_floats() == std::vector<float>{0, 1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32});
}

TEST_CASE("the header is padded and every tensor aligned to its element type") {
  const TemporaryFolder folder;
  example().write(folder / "a.safetensors");
  const auto bytes = slurp(folder / "a.safetensors");
  std::uint64_t length;
  std::memcpy(&length, bytes.data(), 8);
  CHECK(length % 8 == 0);
  const auto header = parse_safetensors(knnbert_test::as_bytes(bytes), "f");
  for (const auto& tensor : header.tensors) {
    const auto offset = tensor.bytes.data() - reinterpret_cast<const std::byte*>(bytes.data());
    CHECK(offset % dtype_size(tensor.dtype) == 0);
  }
}

TEST_CASE("a file does not depend on the order of additions") {
  const TemporaryFolder folder;
  SafeTensorsWriter one, two;
  one.add("a", {6}, weight);
  one.add("b", {3}, ids);
  two.add("b", {3}, ids);
  two.add("a", {6}, weight);
  one.write(folder / "one");
  two.write(folder / "two");
  CHECK(slurp(folder / "one") == slurp(folder / "two"));
  SafeTensorsWriter().write(folder / "empty");
  CHECK(SafeTensors(folder / "empty").names().empty());
}

TEST_CASE("wrong shapes and names are refused") {
  SafeTensorsWriter writer;
  writer.add("a", {6}, weight);
  CHECK_THROWS_AS(writer.add("a", {6}, weight), OptionError);
  CHECK_THROWS_AS(writer.add("__metadata__", {6}, weight), OptionError);
  CHECK_THROWS_AS(writer.add("b", {5}, weight), ShapeError);
  CHECK_THROWS_AS(writer.add("b", {-6}, weight), ShapeError);
  CHECK_THROWS_AS(writer.add("b", {index_t{1} << 62, 4}, weight), ShapeError);
  CHECK_THROWS_AS(writer.add_rows("b", {-1}, [](index_t, std::span<float>) {}), ShapeError);
}

TEST_CASE("a failure while writing leaves the old file") {
  const TemporaryFolder folder;
  const auto path = folder.file("a", "old");
  SafeTensorsWriter writer;
  writer.add_rows("a", {1000, 100}, [](index_t row, std::span<float>) {
    if (row == 900) throw std::runtime_error("midway");
  });
  CHECK_THROWS_AS(writer.write(path), std::runtime_error);
  SafeTensorsWriter malformed;
  malformed.add("\xff", {6}, weight);
  CHECK_THROWS_AS(malformed.write(path), FormatError);
  CHECK(slurp(path) == "old");
  CHECK(folder.count() == 1);
}

TEST_CASE("a file for the Python package is left in the reference folder") {
  const auto folder = knnbert_test::folder("KNNBERT_REFERENCE");
  if (!folder) {
    WARN("skipped: KNNBERT_REFERENCE names no folder");
    return;
  }
  std::filesystem::create_directories(*folder);
  example().write(*folder / "roundtrip.safetensors");
  CHECK(SafeTensors(*folder / "roundtrip.safetensors").names().size() == 8);
}
