#include "knnbert/io/safetensors.hpp"

#include <cmath>

#include "catch.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/io/placeholder.hpp"
#include "knnbert/io/safetensors_directory.hpp"

using namespace knnbert;
using knnbert_test::as_bytes;
using knnbert_test::contains;
using knnbert_test::from_hex;
using knnbert_test::message_of;
using knnbert_test::TemporaryFolder;

namespace {

// Written by the Python package: weight F32 [2, 2], ids I64 [3], half F16 [3], brain BF16 [2], mask BOOL [3],
// scalar F32 [], none F32 [0, 3], metadata {"format": "pt"}.
const std::string reference = from_hex(
    "c0010000000000007b225f5f6d657461646174615f5f223a7b22666f726d6174223a227074227d2c22696473223a7b226474"
    "797065223a22493634222c227368617065223a5b335d2c22646174615f6f666673657473223a5b302c32345d7d2c226e6f6e"
    "65223a7b226474797065223a22463332222c227368617065223a5b302c335d2c22646174615f6f666673657473223a5b3234"
    "2c32345d7d2c227363616c6172223a7b226474797065223a22463332222c227368617065223a5b5d2c22646174615f6f6666"
    "73657473223a5b32342c32385d7d2c22776569676874223a7b226474797065223a22463332222c227368617065223a5b322c"
    "325d2c22646174615f6f666673657473223a5b32382c34345d7d2c22627261696e223a7b226474797065223a224246313622"
    "2c227368617065223a5b325d2c22646174615f6f666673657473223a5b34342c34385d7d2c2268616c66223a7b2264747970"
    "65223a22463136222c227368617065223a5b335d2c22646174615f6f666673657473223a5b34382c35345d7d2c226d61736b"
    "223a7b226474797065223a22424f4f4c222c227368617065223a5b335d2c22646174615f6f666673657473223a5b35342c35"
    "375d7d7d20200100000000000000feffffffffffffff00000000000100000000e0400000803f000020c0cdcccc3de6b1617f"
    "803f49c0003efffb0100010001");

/// A file with the given header and data.
std::string file_of(std::string_view header, std::size_t data_bytes = 0) {
  std::string file;
  for (std::size_t i = 0, length = header.size(); i < 8; ++i, length >>= 8) file += static_cast<char>(length & 0xff);
  return file + std::string(header) + std::string(data_bytes, '\0');
}

std::string error_of(std::string_view file) {
  return message_of<FormatError>([&] { parse_safetensors(as_bytes(file), "f"); });
}

}  // namespace

TEST_CASE("a safetensors file of the Python package is read") {
  const TemporaryFolder folder;
  const SafeTensors file(folder.file("model.safetensors", reference));
  CHECK(file.names() == std::vector<std::string>{"brain", "half", "ids", "mask", "none", "scalar", "weight"});
  CHECK(file.metadata() == std::map<std::string, std::string>{{"format", "pt"}});
  CHECK(file.at("weight").dtype == DType::f32);
  CHECK(file.at("weight").shape == Shape{2, 2});
  CHECK(file.at("weight").as_floats() == std::vector<float>{1, -2.5f, 0.1f, 3e38f});
  CHECK(file.at("ids").as_int64s() == std::vector<std::int64_t>{1, -2, std::int64_t{1} << 40});
  CHECK(file.at("half").as_floats() == std::vector<float>{1.5f, -65504.0f, 0x1p-24f});
  CHECK(file.at("brain").as_floats() == std::vector<float>{1, -3.140625f});
  CHECK(file.at("mask").as_int64s() == std::vector<std::int64_t>{1, 0, 1});
  CHECK(file.at("scalar").shape.empty());
  CHECK(file.at("scalar").as_floats() == std::vector<float>{7});
  CHECK(file.at("none").shape == Shape{0, 3});
  CHECK(file.at("none").as_floats().empty());
  CHECK(!file.find("absent"));
  CHECK(contains(message_of<FormatError>([&] { file.at("absent"); }), "model.safetensors: tensor 'absent' is missing"));
}

TEST_CASE("a tensor converts only to its own kind and size") {
  const auto header = parse_safetensors(as_bytes(reference), "f");
  const auto& ids = header.tensors[2];
  const auto& weight = header.tensors[6];
  CHECK_THROWS_AS(ids.as_floats(), FormatError);
  CHECK_THROWS_AS(weight.as_int64s(), FormatError);
  std::vector<float> short_room(3);
  CHECK_THROWS_AS(weight.copy_to(std::span<float>(short_room)), ShapeError);
  CHECK_THROWS_AS(weight.require_shape({4}), FormatError);
  CHECK(message_of<FormatError>([&] {
          weight.require_shape({4, 1});
        }) == "f: tensor 'weight': shape [2, 2] given, [4, 1] expected");
}

TEST_CASE("half precision is exact for every value") {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const int exponent = static_cast<int>(bits >> 10 & 31), fraction = static_cast<int>(bits & 1023);
    const float value = half_to_float(static_cast<std::uint16_t>(bits));
    const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    bool right = std::signbit(value) == (bits >> 15 == 1);
    if (exponent < 31) right &= std::fabs(value) == magnitude;
    else right &= fraction == 0 ? std::isinf(value) : std::isnan(value);
    if (!right) FAIL("half " << bits << " gives " << value);
  }
  CHECK(bfloat_to_float(0x7f7f) == 0x1.fep127f);
}

TEST_CASE("all integer types become 64-bit integers") {
  const std::string header = R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},)"
                             R"("b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},)"
                             R"("c":{"dtype":"I16","shape":[1],"data_offsets":[2,4]},)"
                             R"("d":{"dtype":"U16","shape":[1],"data_offsets":[4,6]},)"
                             R"("e":{"dtype":"I32","shape":[1],"data_offsets":[6,10]},)"
                             R"("f":{"dtype":"U32","shape":[1],"data_offsets":[10,14]},)"
                             R"("g":{"dtype":"U64","shape":[1],"data_offsets":[14,22]}})";
  const auto file = file_of(header) + std::string(22, '\xff');
  const auto parsed = parse_safetensors(as_bytes(file), "f");
  const std::int64_t expected[] = {-1, 255, -1, 65535, -1, 4294967295};
  for (std::size_t i = 0; i < 6; ++i) CHECK(parsed.tensors[i].as_int64s().front() == expected[i]);
  CHECK_THROWS_AS(parsed.tensors[6].as_int64s(), FormatError);
}

TEST_CASE("legal corner cases of the format") {
  CHECK(parse_safetensors(as_bytes(file_of("{}")), "f").tensors.empty());
  CHECK(parse_safetensors(as_bytes(file_of("{}      ")), "f").tensors.empty());
  CHECK(error_of(file_of(R"({"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                         R"("a":{"dtype":"F32","shape":[0],"data_offsets":[4,4]},)"
                         R"("c":{"dtype":"F32","shape":[0,9],"data_offsets":[0,0]}})",
                         4)) == "nothing thrown");
}

TEST_CASE("every truncation of a safetensors file is refused") {
  for (std::size_t length = 0; length < reference.size(); ++length) {
    const std::vector<char> exact(reference.begin(), reference.begin() + static_cast<index_t>(length));
    CHECK_THROWS_AS(parse_safetensors(std::as_bytes(std::span(exact)), "f"), FormatError);
  }
  CHECK_THROWS_AS(parse_safetensors(as_bytes(reference + "x"), "f"), FormatError);
}

TEST_CASE("flipped header bytes never do worse than a FormatError") {
  int refused = 0;
  for (std::size_t at = 0; at < 456; ++at)
    for (const int flip : {1, 2, 16, 128, 255}) {
      std::string damaged = reference;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      try {
        parse_safetensors(as_bytes(damaged), "f");
      } catch (const FormatError&) { ++refused; }
    }
  CHECK(refused > 1000);
}

TEST_CASE("hostile header lengths are refused before anything is allocated") {
  for (const char* length : {"0000000000000080", "ffffffffffffffff", "ffffffffffffff7f", "f8ffffffffffffff",
                             "0100000000000001", "01e1f50500000000", "0300000000000000"})
    CHECK(contains(error_of(from_hex(length) + "{}"), "a header of"));
  const TemporaryFolder folder;
  const auto path = folder.file("big", from_hex("01e1f50500000000"));  // 100,000,001 in a sparse file of 200 MB
  std::filesystem::resize_file(path, 200'000'000);
  CHECK(contains(message_of<FormatError>([&] { SafeTensors file(path); }), "at most 100000000 expected"));
}

TEST_CASE("hostile tensors are FormatErrors") {
  const auto tensor = [](std::string_view shape, std::string_view offsets, std::size_t data,
                         std::string_view type = "\"F32\"") {
    return error_of(file_of(format(R"({"a":{"dtype":{},"shape":{},"data_offsets":{}}})", type, shape, offsets), data));
  };
  CHECK(tensor("[2]", "[0,8]", 8) == "nothing thrown");
  CHECK(contains(tensor("[-1]", "[0,4]", 4), "negative"));
  CHECK(contains(tensor("[-2,-2]", "[0,16]", 16), "negative"));
  CHECK(contains(tensor("[4611686018427387904,4]", "[0,0]", 0), "too large"));
  CHECK(contains(tensor("[4294967296,4294967296]", "[0,0]", 0), "too large"));
  CHECK(contains(tensor("[9223372036854775807]", "[0,4]", 4), "too large"));
  CHECK(contains(tensor("[18446744073709551615]", "[0,4]", 4), "expected"));
  CHECK(contains(tensor("[3]", "[0,8]", 8), "8 bytes of data for 12 bytes"));
  CHECK(contains(tensor("[2]", "[8,0]", 8), "data_offsets"));
  CHECK(contains(tensor("[2]", "[-8,0]", 8), "data_offsets"));
  CHECK(contains(tensor("[2]", "[0,9223372036854775807]", 8), "data_offsets"));
  CHECK(contains(tensor("[2]", "[0]", 8), "data_offsets"));
  CHECK(contains(tensor("[2]", "[0,8,8]", 8), "data_offsets"));
  CHECK(contains(tensor("[2]", "[0,8]", 12), "12 bytes of data given, 8 expected"));
  CHECK(contains(tensor("[2]", "[4,12]", 12), "data starts at byte 4, 0 expected"));
  CHECK(contains(tensor("[2.5]", "[0,8]", 8), "integer"));
  CHECK(contains(tensor("2", "[0,8]", 8), "array"));
  CHECK(contains(tensor("[2]", "[0,8]", 8, "7"), "a string expected"));
}

TEST_CASE("tensors of types that are not known can be there, but not be read") {
  const std::string file = file_of(
      R"({"a":{"dtype":"F4","shape":[2,3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}})",
      4);
  const auto header = parse_safetensors(as_bytes(file), "f");
  CHECK(header.tensors[0].dtype == DType::other);
  CHECK(header.tensors[0].bytes.size() == 3);
  CHECK(message_of<FormatError>([&] { header.tensors[0].require_floats(); }) ==
        "f: tensor 'a': element type F4 given, F32, F16, BF16 or F64 expected");
  CHECK(contains(message_of<FormatError>([&] { header.tensors[0].as_floats(); }), "element type F4 given"));
  CHECK(contains(message_of<FormatError>([&] { header.tensors[0].as_int64s(); }), "element type F4 given"));
  CHECK(contains(error_of(file_of(R"({"a":{"dtype":"F4","shape":[2,3],"data_offsets":[1,4]}})", 4)),
                 "data starts at byte 1"));
}

TEST_CASE("what a download leaves in place of a file is named") {
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid "
      "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db\nsize 90868376\n";
  for (const std::string& content : {pointer, std::string("\n <!DOCTYPE HTML><p>404"), std::string("<Html>"),
                                     std::string("<?xml version=\"1.0\"?>")}) {
    const char* expected = content == pointer ? "f: a Git LFS pointer given" : "f: a web page given";
    CHECK(contains(error_of(content), expected));
    const TemporaryFolder folder;
    CHECK(contains(message_of<FormatError>([&] { read_json(folder.file("f", content)); }), expected));
  }
  CHECK(contains(error_of("Entry not found"), "is it a safetensors file"));
  CHECK(contains(error_of(""), "a file of 0 bytes given"));
  refuse_placeholder("<", "f"), refuse_placeholder("<!doc", "f"), refuse_placeholder("", "f"),
      refuse_placeholder("<htm", "f");
}

TEST_CASE("overlaps, holes and repeated names are refused") {
  const auto two = [](std::string_view first, std::string_view second, std::size_t data) {
    return error_of(file_of(format(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":{}},)"
                                   R"("b":{"dtype":"F32","shape":[2],"data_offsets":{}}})",
                                   first, second),
                            data));
  };
  CHECK(two("[8,16]", "[0,8]", 16) == "nothing thrown");
  CHECK(contains(two("[0,8]", "[4,12]", 12), "data starts at"));
  CHECK(contains(two("[0,8]", "[0,8]", 8), "data starts at"));
  CHECK(contains(two("[0,8]", "[12,20]", 20), "data starts at"));
  CHECK(contains(error_of(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                                  R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                                  4)),
                 "appears twice"));
  CHECK(contains(error_of(file_of(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4)),
                 "twice"));
}

TEST_CASE("headers that are no object of tensors are refused") {
  CHECK(contains(error_of(file_of(" {}")), "opening brace"));
  CHECK(contains(error_of(file_of("[]")), "opening brace"));
  CHECK(contains(error_of(file_of("")), "opening brace"));
  CHECK(contains(error_of(file_of("{}x")), "f:1: "));
  CHECK(contains(error_of(file_of(R"({"a":[]})")), "an object expected"));
  CHECK(contains(error_of(file_of(R"({"a":{}})")), "key 'dtype' is missing"));
  CHECK(contains(error_of(file_of(R"({"__metadata__":[]})")), "__metadata__"));
  CHECK(contains(error_of(file_of(R"({"__metadata__":{"a":1}})")), "a string expected"));
  CHECK(contains(error_of(file_of("{\"a\":" + std::string(5000, '['))), "deeper than 64"));
}

TEST_CASE("a folder of shards reads like one file") {
  const TemporaryFolder folder;
  folder.file("one.safetensors", file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})") + "\x05");
  folder.file("two.safetensors", file_of(R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})") + "\x06");
  const std::string start = R"({"metadata":{"total_size":2},"weight_map":)";
  folder.file("model.safetensors.index.json", start + R"({"b":"two.safetensors","a":"one.safetensors"}})");
  const SafeTensorsDirectory weights(folder.path());
  CHECK(weights.names() == std::vector<std::string>{"a", "b"});
  CHECK(weights.at("a").as_int64s() == std::vector<std::int64_t>{5});
  CHECK(weights.at("b").as_int64s() == std::vector<std::int64_t>{6});
  CHECK(!weights.find("c"));
  const auto error = [&](std::string_view map) {
    folder.file("model.safetensors.index.json", start + std::string(map) + "}");
    return message_of<Error>([&] { SafeTensorsDirectory opened(folder.path()); });
  };
  CHECK(contains(error(R"({"a":"../one.safetensors"})"), "inside the folder"));
  CHECK(contains(error(R"({"a":"x/../../one.safetensors"})"), "inside the folder"));
  CHECK(contains(error(R"({"a":"/etc/passwd"})"), "inside the folder"));
  CHECK(contains(error(R"({"a":""})"), "inside the folder"));
  CHECK(contains(error(R"({"a":"two.safetensors"})"), "tensor 'a' is missing"));
  CHECK(contains(error(R"({"a":"three.safetensors"})"), "cannot open"));
  CHECK(contains(error(R"({"a":1})"), "a string expected"));
  CHECK(contains(error("[]"), "weight_map"));
  CHECK(contains(error("{}"), "an empty weight_map given, tensors expected"));
  folder.file("model.safetensors", reference);  // the single file goes first
  CHECK(SafeTensorsDirectory(folder.path()).names().size() == 7);
}

TEST_CASE("a folder with only a pickle is refused with the conversion") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(SafeTensorsDirectory(folder.path()), IoError);
  CHECK_THROWS_AS(SafeTensorsDirectory(folder / std::string(300, 'x')), IoError);
  folder.file("pytorch_model.bin", "PK");
  const auto message = message_of<FormatError>([&] { SafeTensorsDirectory opened(folder.path()); });
  CHECK(contains(message, "pytorch_model.bin"));
  CHECK(contains(message, "weights_only=True"));
  CHECK(contains(message, "save_file"));
}
