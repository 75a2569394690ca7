#include "knnbert/io/lines.hpp"

#include "catch.hpp"
#include "io/temporary_folder.hpp"

using namespace knnbert;
using knnbert_test::contains;
using knnbert_test::message_of;
using knnbert_test::TemporaryFolder;

TEST_CASE("latin1 becomes UTF-8") {
  CHECK(latin1_to_utf8("caf\xe9 \x80\xff") == "caf\xc3\xa9 \xc2\x80\xc3\xbf");
  CHECK(latin1_to_utf8("") == "");
}

TEST_CASE("the first malformed UTF-8 byte is found") {
  CHECK(find_invalid_utf8("") == -1);
  CHECK(find_invalid_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\xef\xbf\xbf") == -1);
  for (const char* bad : {"\x80", "\xbf", "\xc0\xaf", "\xc1\xbf", "\xc3", "\xc3(", "\xe0\x80\xaf", "\xe0\x9f\xbf",
                          "\xe2\x82", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x9f\x98",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"}) {
    CHECK(find_invalid_utf8(bad) == 0);
    CHECK(find_invalid_utf8(std::string("ok") + bad) == 2);
  }
}

TEST_CASE("a byte-order mark is dropped, UTF-16 refused, malformed bytes pass unless strict") {
  CHECK(decode_text("\xef\xbb\xbfhi", "f") == "hi");
  CHECK_THROWS_AS(decode_text(std::string("\xff\xfeh\0", 4), "f"), FormatError);
  CHECK(decode_text("a\xff", "f") == "a\xff");
  const auto strict = [] { decode_text("ok\nb\xff", "f.txt", {.strict_utf8 = true}); };
  CHECK(message_of<FormatError>(strict) == "f.txt:2: malformed UTF-8 at byte 4");
  CHECK(decode_text("\xef\xbb\xbf", "f", {.encoding = Encoding::latin1}) == "\xc3\xaf\xc2\xbb\xc2\xbf");
}

TEST_CASE("compressed text without a decompressor is refused with the remedy") {
  const auto message = message_of<FormatError>([] { decode_text("\x1f\x8b\x08...", "a.gz"); });
  CHECK(contains(message, "a.gz: compressed"));
  CHECK(contains(message, "io/gzip.hpp"));
}

TEST_CASE("lines split at line feeds only") {
  const std::string text("a\r\n\nb\xe2\x80\xa8\x0b\x0c\rc\nlast", 17);
  LineReader reader(text);
  std::vector<std::string> lines;
  while (reader.next()) lines.emplace_back(reader.line());
  CHECK(lines == std::vector<std::string>{"a\r", "", "b\xe2\x80\xa8\x0b\x0c\rc", "last"});
  CHECK(reader.number() == 4);
  LineReader empty("");
  CHECK(!empty.next());
  LineReader one("\n");
  CHECK(one.next());
  CHECK(!one.next());
}

TEST_CASE("read_lines strips the carriage return of a line end") {
  const TemporaryFolder folder;
  CHECK(read_lines(folder.file("a", "x\r\ny\n\nz")) == std::vector<std::string>{"x", "y", "", "z"});
  CHECK(line_of("a\nb\nc", 4) == 3);
  CHECK(line_of("a\n", 100) == 2);
}
