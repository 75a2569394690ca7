#include "knnbert/text/byte_block.hpp"

#include <string>

#include "catch.hpp"
#include "knnbert/text/unicode.hpp"

using namespace knnbert;

TEST_CASE("a block's breaks are the white space and punctuation of ASCII, wherever they are") {
  for (const bool has_all : {false, true}) {
    for (unsigned byte = 0; byte < 256; ++byte) {
      const auto properties = byte < 0x80 ? unicode::properties(byte) : std::uint8_t{0};
      const bool is_removed = properties & unicode::dropped && !has_all;
      const bool expected = properties & (unicode::space | unicode::punctuation) && !is_removed;
      for (std::size_t place = 0; place < ByteBlock::size; ++place) {
        std::string text(ByteBlock::size, 'x');
        text[place] = static_cast<char>(byte);
        const auto block = look_at(text.data(), has_all);
        INFO("byte " << byte << " at " << place);
        REQUIRE(block.breaks == (expected ? std::uint64_t{1} << place : 0));
        REQUIRE(block.is_ascii == (byte < 0x80));
      }
    }
  }
}

TEST_CASE("bytes of a block do not touch each other") {
  std::string text;
  for (int i = 0; i < 64; ++i) text += static_cast<char>(i * 37 % 128);
  const auto block = look_at(text.data(), true);
  for (std::size_t i = 0; i < 64; ++i) {
    std::string one(64, 'x');
    one[i] = text[i];
    CHECK((block.breaks >> i & 1) == (look_at(one.data(), true).breaks >> i & 1));
  }
  CHECK(look_at(std::string(64, '\xff').data(), true).breaks == 0);
  CHECK(look_at(std::string(64, '\xa0').data(), true).breaks == 0);  // a blank but for the highest bit
  CHECK(look_at(std::string(64, ' ').data(), false).breaks == ~std::uint64_t{0});
}
