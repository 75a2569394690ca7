#include "knnbert/io/gzip.hpp"

#include "catch.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/io/lines.hpp"

using namespace knnbert;
using knnbert_test::from_hex;
using knnbert_test::TemporaryFolder;

namespace {

// Written by Python's gzip and zipfile modules.
const std::string hello = from_hex("1f8b0800000000000203cb48cdc9c9e72acf2fca49e10200ff5dc5c40c000000");
const std::string zipped = from_hex(
    "504b03041400000008000000210052ccf9b6150000005000000005000000612e6373762b49ad28d1c9494c4acde1cac8d431"
    "e42aa1900f00504b010214031400000008000000210052ccf9b6150000005000000005000000000000000000000080010000"
    "0000612e637376504b0506000000000100010033000000380000000000");

std::string deflate_zeros(std::size_t count) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY);
  std::string in(count, '\0'), out(count / 500 + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace

TEST_CASE("gzip files of one and several members are unpacked") {
  CHECK(gunzip(hello, 1000, "f") == "hello\nworld\n");
  CHECK(gunzip(hello + hello, 1000, "f") == "hello\nworld\nhello\nworld\n");
  CHECK(gunzip(hello + std::string(7, '\0'), 1000, "f") == "hello\nworld\n");
  const auto million = gunzip(deflate_zeros(1000000), 1000000, "f");
  CHECK(million == std::string(1000000, '\0'));
}

TEST_CASE("a zip archive of one file is unpacked") {
  std::string expected;
  for (int i = 0; i < 5; ++i) expected += "text,label\nhi,1\n";
  CHECK(decompress(zipped, 1000, "f") == expected);
}

TEST_CASE("folders and what macOS adds are no files of a zip archive") {
  const TemporaryFolder folder;
  const auto entry = [](std::string_view name, std::size_t local) {  // of the directory
    std::string bytes = "PK\x01\x02" + std::string(42, '\0');
    bytes[28] = static_cast<char>(name.size()), bytes[42] = static_cast<char>(local);
    return bytes + std::string(name);
  };
  const auto local = zipped.substr(0, 56), own = zipped.substr(56, 51);
  const auto archive = [&](const std::string& entries, char count) {
    std::string end = zipped.substr(107);
    end[8] = end[10] = count;
    return local + entries + end;
  };
  const auto around = entry("data/", 0) + own + entry("__MACOSX/._a.csv", 0);
  CHECK(decompress(archive(around, 3), 1000, "f") == decompress(zipped, 1000, "f"));
  CHECK_THROWS_AS(decompress(archive(around + entry("b.csv", 0), 4), 1000, "f"), FormatError);
  CHECK_THROWS_AS(decompress(archive(entry("data/", 0), 1), 1000, "f"), FormatError);
}

TEST_CASE("read_text unpacks through the hook") {
  const TemporaryFolder folder;
  CHECK(read_text(folder.file("a.gz", hello), {.decompress = decompress}) == "hello\nworld\n");
}

TEST_CASE("packed content beyond the limit is refused") {
  CHECK_THROWS_AS(gunzip(hello, 11, "f"), FormatError);
  CHECK_THROWS_AS(gunzip(deflate_zeros(10000000), 9999999, "f"), FormatError);
  CHECK_THROWS_AS(decompress(zipped, 79, "f"), FormatError);
}

TEST_CASE("truncated and damaged archives are FormatErrors") {
  for (std::size_t length = 2; length < hello.size(); ++length)
    CHECK_THROWS_AS(gunzip(hello.substr(0, length), 1000, "f"), FormatError);
  for (std::size_t length = 0; length < zipped.size() - 2; ++length)
    CHECK_THROWS_AS(unzip_only_file(zipped.substr(0, length), 1000, "f"), FormatError);
  CHECK_THROWS_AS(gunzip(hello + "x", 1000, "f"), FormatError);
  auto wrong_sum = hello;
  wrong_sum[24] ^= 1;
  CHECK_THROWS_AS(gunzip(wrong_sum, 1000, "f"), FormatError);
}

TEST_CASE("flipped bytes of archives never do worse than a FormatError") {
  const auto intact = unzip_only_file(zipped, 1000, "f");
  const auto survives = [&](const std::string& archive) {
    try {
      return unzip_only_file(archive, 1000, "f") == intact;  // the checksum protects the content
    } catch (const FormatError&) { return true; }
  };
  for (std::size_t at = 0; at < zipped.size(); ++at)
    for (const int flip : {1, 128, 255}) {
      auto damaged = zipped;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      if (!survives(damaged)) FAIL("byte " << at << " flipped by " << flip);
    }
}
