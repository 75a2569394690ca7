#include "knnbert/core/checksum.hpp"

#include <set>
#include <vector>

#include "catch.hpp"

using namespace knnbert;

namespace {

std::string checksum_in_pieces(std::string_view text, std::size_t piece) {
  Checksum checksum;
  for (std::size_t i = 0; i < text.size(); i += piece) checksum.update(text.substr(i, piece));
  return checksum.digits();
}

}  // namespace

TEST_CASE("checksum: bytes decide, not how they are cut into pieces") {
  std::string text;
  for (int i = 0; i < 301; ++i) text += static_cast<char>(i * 37);
  std::set<std::string> seen{Checksum{}.digits()};
  for (std::size_t length = 1; length <= text.size(); length += length < 70 ? 1 : 33) {
    const std::string part = text.substr(0, length), whole = checksum_in_pieces(part, length);
    CHECK(whole.size() == 16);
    for (std::size_t piece = 1; piece < 40; piece += 3) CHECK(checksum_in_pieces(part, piece) == whole);
    CHECK(seen.insert(whole).second);
  }
}

TEST_CASE("checksum: any bit and any length counts") {
  const std::string text(61, 'x');
  std::set<std::string> seen{checksum_in_pieces(text, 61)};
  for (std::size_t byte = 0; byte < text.size(); ++byte)
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = text;
      changed[byte] = static_cast<char>(changed[byte] ^ (1 << bit));
      CHECK(seen.insert(checksum_in_pieces(changed, 61)).second);
    }
  for (std::size_t zeros = 1; zeros < 40; ++zeros)
    CHECK(seen.insert(checksum_in_pieces(text + std::string(zeros, '\0'), 61)).second);
}
