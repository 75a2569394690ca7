#include "knnbert/text/unicode.hpp"

#include "catch.hpp"
#include "knnbert/text/white_space.hpp"

using namespace knnbert;

namespace {

std::u32string decoded(std::string_view bytes) {
  std::u32string text;
  const char* at = bytes.data();
  while (at != bytes.data() + bytes.size()) text += unicode::decode(at, bytes.data() + bytes.size());
  return text;
}

std::u32string decomposed(char32_t code) {
  std::u32string text;
  unicode::decompose(code, [&](char32_t part) { text += part; });
  return text;
}

std::u32string lower(char32_t code) {
  std::u32string text;
  unicode::to_lower(code, [&](char32_t part) { text += part; });
  return text;
}

}  // namespace

TEST_CASE("decode reads back what encode wrote") {
  for (char32_t code = 0; code < 0x110000; ++code) {
    if (code >= 0xd800 && code < 0xe000) continue;
    std::string bytes;
    unicode::encode(code, bytes);
    if (decoded(bytes) != std::u32string(1, code)) FAIL("code point " << static_cast<unsigned>(code));
  }
}

TEST_CASE("malformed UTF-8 gives one replacement character for each maximal prefix") {
  // The example of Unicode 15, table 3-11, and its neighbors 3-8 to 3-10.
  CHECK(decoded("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41") == U"\ufffd\ufffd\ufffd\ufffdA");
  CHECK(decoded("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41") == U"\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffdA");
  CHECK(decoded("\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41") == U"\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffdA");
  CHECK(decoded("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42") == U"\ufffd\ufffd\ufffd\ufffd\ufffdA\ufffd\ufffd\x42");
  CHECK(decoded("\xe4\xb8") == U"\ufffd");
  CHECK(decoded(std::string_view("a\0b", 3)) == std::u32string(U"a\0b", 3));
}

TEST_CASE("properties are those of the reference's versions of Unicode") {
  using namespace unicode;
  CHECK(properties(U'\t') == space);
  CHECK(properties(U'\v') == (space | dropped));
  CHECK(properties(0x200b) == dropped);      // Cf
  CHECK(properties(0xe000) == dropped);      // Co
  CHECK(properties(0x378) == 0);             // unassigned: kept
  CHECK(properties(0x8e2) == 0);             // Cf since Unicode 9
  CHECK(properties(0x180e) == dropped);      // no white space since Unicode 6.3
  CHECK(properties(U'$') == punctuation);    // S* counts within ASCII
  CHECK(properties(0x20ac) == 0);            // and not beyond
  CHECK(properties(0x166d) == punctuation);  // So since Unicode 12
  CHECK(properties(0x61d) == 0);             // P* since Unicode 14
  CHECK(properties(0x4e2d) == chinese);
  CHECK(properties(0x2b820) == 0);  // a gap in BERT's list
  CHECK(properties(0x301) == (mark | decomposes));
  CHECK(properties(0x3042) == 0);
  CHECK(properties(U'A') == upper);
  CHECK(properties(0xc9) == (upper | decomposes));
  CHECK(properties(0xfffd) == dropped);
  CHECK(properties(0x10ffff) == 0);
}

TEST_CASE("decomposition is full and canonical") {
  CHECK(decomposed(U'a') == U"a");
  CHECK(decomposed(0xe9) == U"e\u0301");
  CHECK(decomposed(0x1f82) == U"\u03b1\u0313\u0300\u0345");
  CHECK(decomposed(0x212b) == U"A\u030a");  // a replacement that decomposes further
  CHECK(decomposed(0x2f800) == std::u32string(1, 0x4e3d));
  CHECK(decomposed(0xac00) == U"\u1100\u1161");
  CHECK(decomposed(0xd7a3) == U"\u1112\u1175\u11c2");
  CHECK(decomposed(0xfb01) == U"\ufb01");                    // compatibility only
  CHECK(decomposed(0x11938) == std::u32string(1, 0x11938));  // since Unicode 13
  CHECK(unicode::combining_class(0x301) == 230);
  CHECK(unicode::combining_class(0x323) == 220);
  CHECK(unicode::combining_class(0x1d165) == 216);
  CHECK(unicode::combining_class(0x345) == 240);
  CHECK(unicode::combining_class(U'a') == 0);
  CHECK(unicode::combining_class(0x7fd) == 0);  // since Unicode 11
}

TEST_CASE("lower case is context-free and may be longer") {
  CHECK(lower(U'A') == U"a");
  CHECK(lower(U'a') == U"a");
  CHECK(lower(0x130) == U"i\u0307");
  CHECK(lower(0x3a3) == U"\u03c3");  // never the final sigma
  CHECK(lower(0x1e9e) == U"\u00df");
  CHECK(lower(0x1c4) == U"\u01c6");
  CHECK(lower(0x1c5) == U"\u01c6");
  CHECK(lower(0x100) == U"\u0101");
  CHECK(lower(0x101) == U"\u0101");                     // inside a range of stride 2
  CHECK(lower(0x16ea0) == std::u32string(1, 0x16ebb));  // since Unicode 17
}

TEST_CASE("words are letters, marks, decimal digits, connectors and joiners") {
  for (const char32_t code :
       {U'a', U'9', U'_', char32_t{0xe9}, char32_t{0x301}, char32_t{0x4e2d}, char32_t{0x200d}, char32_t{0x24b6}})
    CHECK(unicode::is_word(code));
  for (const char32_t code : {U' ', U'-', U'.', char32_t{0xbd}, char32_t{0x20ac}, char32_t{0x2603}})
    CHECK_FALSE(unicode::is_word(code));
}

TEST_CASE("white space is found at both ends") {
  const std::string_view text = "a\xe3\x80\x80 \tb";  // U+3000
  CHECK(unicode::space_before(text, 0, 6) == 1);
  CHECK(unicode::space_before(text, 4, 6) == 4);
  CHECK(unicode::space_before(text, 0, 1) == 1);
  CHECK(unicode::space_after(text, 1) == 6);
  CHECK(unicode::space_after(text, 6) == 6);
  CHECK(unicode::space_before("\xff\x80 ", 0, 3) == 2);
}
