#include "knnbert/io/lines.hpp"

#include "catch.hpp"
#include "io/temporary_folder.hpp"

using namespace knnbert;
using knnbert_test::contains;
using knnbert_test::message_of;
using knnbert_test::TemporaryFolder;

TEST_CASE("windows-1252 becomes UTF-8, latin1 means the same") {
  CHECK(windows1252_to_utf8("caf\xe9 \x80\x92\xff") == "caf\xc3\xa9 \xe2\x82\xac\xe2\x80\x99\xc3\xbf");
  CHECK(windows1252_to_utf8("\x81\x8d\x8f\x90\x9d\xa0") == "\xc2\x81\xc2\x8d\xc2\x8f\xc2\x90\xc2\x9d\xc2\xa0");
  CHECK(windows1252_to_utf8("").empty());
  for (const char* name : {"latin1", "ISO-8859-1", "windows-1252", "cp1252", "Windows_1252"})
    CHECK(parse_encoding(name) == Encoding::windows1252);
  CHECK(parse_encoding("UTF-8") == Encoding::utf8);
  CHECK(parse_encoding("utf-16") == Encoding::utf16le);
  CHECK(parse_encoding("UTF16BE") == Encoding::utf16be);
  CHECK_THROWS_AS(parse_encoding("koi8-r"), OptionError);
}

TEST_CASE("UTF-16 is read by its byte-order mark or on demand") {
  const std::string little(
      "\xff\xfe"
      "a\0\xe9\0=\xd8\0\xde\n\0",
      12),
      big("\xfe\xff\0a\0\xe9\xd8=\xde\0\0\n", 12);
  const std::string text = "a\xc3\xa9\xf0\x9f\x98\x80\n";
  CHECK(decode_text(little, "f") == text);
  CHECK(decode_text(big, "f") == text);
  CHECK(decode_text(little, "f", {.encoding = Encoding::windows1252}) == text);  // the mark says more
  CHECK(decode_text(little.substr(2), "f", {.encoding = Encoding::utf16le}) == text);
  CHECK(decode_text(big.substr(2), "f", {.encoding = Encoding::utf16be}) == text);
  CHECK(contains(message_of<FormatError>([&] { decode_text(little.substr(2), "f"); }),
                 "f: UTF-16 without byte-order mark given"));
  CHECK(contains(message_of<FormatError>([&] { decode_text(big.substr(2), "f"); }), "ReadOptions::encoding utf16be"));
  CHECK(contains(message_of<FormatError>([&] { decode_text(little.substr(0, 11), "f"); }), "ends within a character"));
  CHECK_THROWS_AS(decode_text(std::string("\xff\xfe=\xd8", 4), "f"), FormatError);
  CHECK_THROWS_AS(decode_text(std::string("\xff\xfe=\xd8=\xd8", 6), "f"), FormatError);
  CHECK_THROWS_AS(decode_text(std::string("\xff\xfe\0\xde", 4), "f"), FormatError);
  CHECK(decode_text("\xff\xfe", "f").empty());
}

TEST_CASE("zero bytes are text in UTF-8 and show UTF-16 where they lie regularly") {
  using namespace std::string_literals;
  CHECK(decode_text("my \0 key\n"s, "f") == "my \0 key\n"s);
  CHECK(guess_utf16("\x3f\x04\x40\x04\x20\x00\x38\x04\n\0"s) == Encoding::utf16le);  // Cyrillic
  CHECK(guess_utf16("\0\0\n"s) == std::nullopt);
  CHECK(guess_utf16("text\n") == std::nullopt);
}

TEST_CASE("UTF-32 is refused") {
  using namespace std::string_literals;
  const auto wide = [](std::u32string_view text, bool big) {
    std::string bytes;
    for (const char32_t c : text)
      for (const int i : {0, 1, 2, 3}) bytes += static_cast<char>(c >> 8 * (big ? 3 - i : i) & 0xff);
    return bytes;
  };
  for (const bool big : {false, true})
    for (const bool marked : {false, true}) {
      const auto bytes = wide((marked ? U"\xfeff" : U"") + std::u32string(U"key \x1f600\n\x43a\x43b"), big);
      CHECK(message_of<FormatError>([&] { decode_text(bytes, "f"); }) == "f: UTF-32 given, UTF-8 expected");
    }
  CHECK_FALSE(is_utf32("a\0\n\0a\0\n\0"s));
  CHECK_FALSE(is_utf32("text"));
  CHECK_FALSE(is_utf32(""));
}

TEST_CASE("files of other kinds are named") {
  using namespace std::string_literals;
  CHECK(contains(message_of<FormatError>([] { decode_text("PAR1\x15\x04\x15\n", "a"); }), "a: a Parquet file given"));
  CHECK(contains(message_of<FormatError>([] { decode_text("\x89PNG\r\n\x1a\n\0"s, "a"); }), "a: a PNG image given"));
  CHECK(decode_text("PAR1 is a start\n", "f") == "PAR1 is a start\n");
  CHECK(contains(message_of<FormatError>([] { decode_text("\xfd\x37zXZ\x01\xff\xfe", "a.xz"); }),
                 "a.xz: a file packed by xz given"));
  CHECK(contains(message_of<FormatError>([] { decode_text("BZh9\xff", "a.bz2"); }), "bzip2"));
  CHECK(decode_text("BZh is a start\n", "f") == "BZh is a start\n");
  const auto archive = "a.tsv" + std::string(252, '\0') + "ustar" + std::string(250, '\0');
  CHECK(contains(message_of<FormatError>([&] { decode_text(archive, "a.tar"); }), "a.tar: a tar archive given"));
  CHECK(decode_text("ustar is a start\n", "f") == "ustar is a start\n");
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

TEST_CASE("a byte-order mark is dropped, malformed bytes pass unless strict") {
  CHECK(decode_text("\xef\xbb\xbfhi", "f") == "hi");
  CHECK(decode_text("a\xff", "f") == "a\xff");
  const auto strict = [] { decode_text("ok\nb\xff", "f.txt", {.strict_utf8 = true}); };
  CHECK(message_of<FormatError>(strict) == "f.txt:2: malformed UTF-8 at byte 4");
  CHECK(decode_text("\xef\xbb\xbf\xc3\xa9", "f", {.encoding = Encoding::latin1}) == "\xc3\xa9");  // the mark says more
  CHECK(repair_utf8("a\xff\xe2\x82z\xef\xbf\xbd") == "a\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd");
  CHECK(find_invalid_utf8("0123456789\xef\xbf\xbd\xf0\x9f\x98") == 13);
  CHECK(first_characters("a\xc3\xa9z", 2) == "a");
  CHECK(first_characters("a\xc3\xa9z", 3) == "a\xc3\xa9");
  CHECK(first_characters("az", 3) == "az");
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
