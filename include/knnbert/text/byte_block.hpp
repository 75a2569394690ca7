#pragma once
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace knnbert::inline v0_1 {

/// What 64 consecutive bytes of a text are; bit i tells about byte i.
struct ByteBlock {
  static constexpr std::size_t size = 64;

  std::uint64_t breaks;  ///< bytes that end a word: white space and punctuation of ASCII
  bool is_ascii;         ///< all of them
};

/// Eight bytes of a text in a number, wherever its machine puts the first one.
namespace bytes {

inline constexpr std::uint64_t each = 0x0101010101010101;
inline constexpr std::uint64_t highest = each * 0x80;

inline std::uint64_t load(const char* from) {
  std::uint64_t eight;
  std::memcpy(&eight, from, 8);
  return eight;
}

/// The highest bit of each byte tells whether it is at least `limit` in [1, 128], if it is ASCII.
inline std::uint64_t at_least(std::uint64_t eight, unsigned limit) {
  return (eight & each * 0x7f) + each * (0x80 - limit);
}

/// Bit i from the highest bit of byte i: the product moves them next to each other.
inline std::uint64_t pack(std::uint64_t eight) {
  constexpr bool is_little = std::endian::native == std::endian::little;
  return ((eight & highest) >> 7) * (is_little ? 0x0102040810204080 : 0x8040201008040201) >> 56;
}

}  // namespace bytes

/// Looks at text[0, 64). Vertical tab and form feed are white space only to a normalizer that does not clean.
/// One loop without a branch, which compilers turn into the widest registers there are.
inline ByteBlock look_at(const char* text, bool has_all_white_space) {
  const unsigned tabs_end = has_all_white_space ? '\r' : '\v';
  std::array<std::uint64_t, ByteBlock::size / 8> breaks;
  std::uint64_t any = 0;
  for (std::size_t i = 0; i < breaks.size(); ++i) {
    const auto eight = bytes::load(text + 8 * i);
    std::uint64_t inside = 0;  // changes where a range begins and where it ends
    for (const unsigned limit :
         {unsigned{'\t'}, tabs_end, 0x0du, 0x0eu, 0x20u, 0x30u, 0x3au, 0x41u, 0x5bu, 0x61u, 0x7bu, 0x7fu})
      inside ^= bytes::at_least(eight, limit);
    breaks[i] = inside & ~eight;
    any |= eight;
  }
  ByteBlock block{0, (any & bytes::highest) == 0};
  for (std::size_t i = 0; i < breaks.size(); ++i) block.breaks |= bytes::pack(breaks[i]) << (8 * i);
  return block;
}

}  // namespace knnbert::inline v0_1
