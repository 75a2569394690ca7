#include "knnbert/core/format.hpp"

#include "catch.hpp"
#include "knnbert/core/error.hpp"

using namespace knnbert;

TEST_CASE("format: every pair of braces takes the next argument") {
  CHECK(format("") == "");
  CHECK(format("plain") == "plain");
  CHECK(format("{}", 7) == "7");
  CHECK(format("{} and {}, {}", 1, std::string("two"), "three") == "1 and two, three");
  CHECK(format("{}{}", 'x', true) == "xtrue");
  CHECK(format("a {} b", std::string_view("")) == "a  b");
}

TEST_CASE("format: an argument is never taken for a pattern") { CHECK(format("{} {}", "{}", 5) == "{} 5"); }

TEST_CASE("format: too few and too many arguments lose nothing of the pattern") {
  CHECK(format("{} {}", 1) == "1 {}");
  CHECK(format("none", 1, 2) == "none");
  CHECK(format("{", 1) == "{");
  CHECK(format("} {", 1) == "} {");
}

TEST_CASE("format: numbers in their shortest exact form") {
  CHECK(format("{}", 0.1f) == "0.1");
  CHECK(format("{}", 0.1) == "0.1");
  CHECK(format("{}", 5e-5f) == "5e-05");
  CHECK(format("{}", 1.0) == "1");
  CHECK(format("{}", std::int64_t{-9223372036854775807} - 1) == "-9223372036854775808");
  CHECK(format("{}", ~std::uint64_t{0}) == "18446744073709551615");
}

TEST_CASE("raise: throws the named error with the formatted message, and all are Errors") {
  const auto message = [](auto call) {
    try {
      call();
    } catch (const Error& error) { return std::string(error.what()); }
    return std::string("nothing thrown");
  };
  CHECK(message([] { raise<ShapeError>("Type::member: {} given, {} expected", 3, 4); }) ==
        "Type::member: 3 given, 4 expected");
  CHECK_THROWS_AS(raise<ShapeError>("x"), ShapeError);
  CHECK_THROWS_AS(raise<FormatError>("x"), FormatError);
  CHECK_THROWS_AS(raise<IoError>("x"), IoError);
  CHECK_THROWS_AS(raise<OptionError>("x"), OptionError);
  CHECK_THROWS_AS(raise<OptionError>("x"), std::runtime_error);
}
