#include "knnbert/io/json.hpp"

#include "catch.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/io/jsonl.hpp"

using namespace knnbert;
using knnbert_test::contains;
using knnbert_test::message_of;
using knnbert_test::slurp;
using knnbert_test::TemporaryFolder;

namespace {

std::string error_of(std::string_view text) {
  return message_of<FormatError>([&] { parse_json(text, "c.json"); });
}

std::string nested(int levels) { return std::string(levels, '[') + std::string(levels, ']'); }

}  // namespace

TEST_CASE("json values of every kind are read") {
  const Json value = parse_json(R"( {"a": [1, -2, 3.5, true, null, "x\u00e9\n"], "b": {"c": {}}, "d": []} )", "f");
  CHECK(value["a"].size() == 6);
  CHECK(value["a"][0] == 1);
  CHECK(value["a"][1] == -2);
  CHECK(value["a"][2] == 3.5);
  CHECK(value["a"][3] == true);
  CHECK(value["a"][4].is_null());
  CHECK(value["a"][5] == "x\xc3\xa9\n");
  CHECK(value["b"]["c"].is_object());
  CHECK(value["d"].is_array());
  CHECK(parse_json("18446744073709551615", "f") == 18446744073709551615u);
  CHECK(parse_json("\"\"", "f") == "");
}

TEST_CASE("what strict json forbids is refused with line and byte") {
  CHECK(contains(error_of("{\"a\": 1,\n \"a\": 2}"), "c.json:2: key 'a' appears twice"));
  CHECK(contains(error_of("{\"x\": {\"a\": 1, \"b\": {}, \"a\": 2}}"), "key 'a' appears twice"));
  CHECK(parse_json("[{\"a\": 1}, {\"a\": 2}]", "f").size() == 2);
  CHECK(contains(error_of("{}\n\n x"), "c.json:3: "));
  CHECK(contains(error_of("[1,\nNaN]"), "c.json:2: "));
  for (const char* bad :
       {"",   " ",  "[1,]", "{\"a\":}", "{a: 1}",   "Infinity", "-Infinity",        "[NaN]",       "1e999", "// x\n1",
        "01", "+1", "'a'",  "\"a",      "\"\x01\"", "\"\xff\"", "\"\xed\xa0\x80\"", "\"\\ud800\"", "[1 2]", "{} {}",
        "tru"})
    CHECK(contains(error_of(bad), "c.json:"));
}

TEST_CASE("nesting is limited to 64 levels") {
  CHECK(parse_json(nested(64), "f").is_array());
  CHECK(contains(error_of(nested(65)), "deeper than 64"));
  CHECK(contains(error_of(std::string(1000000, '[')), "deeper than 64"));
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  CHECK(contains(error_of(objects), "deeper than 64"));
}

TEST_CASE("error texts stay short") { CHECK(error_of("\"" + std::string(1000000, 'x')).size() < 300); }

TEST_CASE("every truncation of a document is refused") {
  const std::string text = R"({"a": [1.5e3, "b\u0041", {"c": false}], "d": null})";
  for (std::size_t length = 0; length < text.size(); ++length)
    CHECK_THROWS_AS(parse_json(std::string_view(text).substr(0, length), "f"), FormatError);
}

TEST_CASE("typed access checks type and range and names the key") {
  const Json object = parse_json(R"({"n": 300, "neg": -1, "big": 18446744073709551615, "f": 1e-12, "huge": 1e300,
                                     "s": "x", "b": true, "list": [1, 2], "null": null})",
                                 "f");
  CHECK(require<int>(object, "n", "f") == 300);
  CHECK(require<float>(object, "n", "f") == 300.0f);
  CHECK(require<double>(object, "f", "f") == 1e-12);
  CHECK(require<std::string>(object, "s", "f") == "x");
  CHECK(require<bool>(object, "b", "f"));
  CHECK(require<std::vector<index_t>>(object, "list", "f") == std::vector<index_t>{1, 2});
  CHECK(require<std::uint64_t>(object, "big", "f") == 18446744073709551615u);
  CHECK_THROWS_AS(require<std::uint8_t>(object, "n", "f"), FormatError);
  CHECK_THROWS_AS(require<std::uint64_t>(object, "neg", "f"), FormatError);
  CHECK_THROWS_AS(require<std::int64_t>(object, "big", "f"), FormatError);
  CHECK_THROWS_AS(require<int>(object, "f", "f"), FormatError);
  CHECK_THROWS_AS(require<int>(object, "b", "f"), FormatError);
  CHECK_THROWS_AS(require<bool>(object, "n", "f"), FormatError);
  CHECK_THROWS_AS(require<float>(object, "huge", "f"), FormatError);
  CHECK_THROWS_AS(require<double>(object, "s", "f"), FormatError);
  CHECK_THROWS_AS(require<std::string>(object, "null", "f"), FormatError);
  CHECK_THROWS_AS(require<int>(Json::array(), "n", "f"), FormatError);
  CHECK(message_of<FormatError>([&] { require<int>(object, "x", "c.json"); }) == "c.json: key 'x' is missing");
  CHECK(message_of<FormatError>([&] { require<std::vector<bool>>(object, "list", "c.json"); }) ==
        "c.json: list[0]: 1 given, true or false expected");
}

TEST_CASE("an optional value falls back when absent or null, not when wrong") {
  const Json object = parse_json(R"({"n": 3, "null": null})", "f");
  CHECK(optional_value(object, "n", 7, "f") == 3);
  CHECK(optional_value(object, "null", 7, "f") == 7);
  CHECK(optional_value<std::string>(object, "x", "y", "f") == "y");
  CHECK_THROWS_AS(optional_value<std::string>(object, "n", "y", "f"), FormatError);
}

TEST_CASE("json files are written atomically and keep the order of keys where asked") {
  const TemporaryFolder folder;
  write_json(folder / "a.json", OrderedJson{{"n", 500}, {"accuracy", {{"knn", 0.5}}}});
  CHECK(slurp(folder / "a.json") == "{\n  \"n\": 500,\n  \"accuracy\": {\n    \"knn\": 0.5\n  }\n}\n");
  CHECK(read_json(folder / "a.json")["accuracy"]["knn"] == 0.5);
  CHECK_THROWS_AS(write_json(folder / "a.json", Json{{"s", "\xff"}}), FormatError);
  CHECK(read_json(folder / "a.json")["n"] == 500);
  CHECK(contains(message_of<FormatError>([&] { read_json(folder.file("b.json", "{\n]")); }), "b.json:2: "));
  CHECK_THROWS_AS(read_json(folder / "absent.json"), IoError);
}

TEST_CASE("json lines carry their numbers") {
  std::vector<index_t> lines;
  const auto note = [&](const Json& value, index_t line) {
    lines.push_back(line);
    return value != 3;
  };
  for_each_json_line("1\n\n  \r\n2\r\n3\n4", "f", note);
  CHECK(lines == std::vector<index_t>{1, 4, 5});
  CHECK(contains(message_of<FormatError>([&] { for_each_json_line("1\n{\"a\"}\n", "f.jsonl", note); }), "f.jsonl:2: "));
  CHECK(json_line(OrderedJson{{"b", "\xff"}, {"a", 1}}) == "{\"b\":\"\xef\xbf\xbd\",\"a\":1}");
  const Json ends = {
      "a\xc2\x85"
      "b",
      "\xe2\x80\xa8\xe2\x80\xa9", "\xe2\x80\xa6"};
  CHECK(json_line(ends) == R"(["a\u0085b","\u2028\u2029",")"
                           "\xe2\x80\xa6\"]");
  CHECK(Json::parse(json_line(ends)) == ends);
  const Json commands = {"\xc2\x80\xc2\x9b[2J\xc2\x9f", "\xe2\x80\xaa\xe2\x80\xae", "\xe2\x81\xa6\xe2\x81\xa9"};
  CHECK(json_line(commands) == R"(["\u0080\u009b[2J\u009f","\u202a\u202e","\u2066\u2069"])");
  CHECK(Json::parse(json_line(commands)) == commands);
  const Json neighbors = {"\xc2\xa0", "\xe2\x80\xa7", "\xe2\x80\xaf", "\xe2\x81\xa5", "\xe2\x81\xaa", "\xe3\x80\xa8"};
  CHECK(json_line(neighbors) == neighbors.dump());
}
