#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "knnbert/core/types.hpp"
#include "knnbert/text/byte_block.hpp"

namespace knnbert::inline v0_1 {

/// Up to 16 bytes of a text as two numbers, their ASCII letters in lower case if asked for.
/// Bytes are xor-ed with a blank, which no word contains, so that what is missing at the end differs from any byte.
struct WordKey {
  static constexpr std::size_t longest = 16;

  std::uint64_t first = 0, second = 0;

  /// The first `length` in [0, 16] of the 16 bytes at `text`, all of which are read.
  static WordKey of(const char* text, std::size_t length, bool lowercase) {
    const char* const mask = masks.data() + longest - length;
    return {fold(bytes::load(text), lowercase) & bytes::load(mask),
            fold(bytes::load(text + 8), lowercase) & bytes::load(mask + 8)};
  }

  /// The same for a word with nothing behind it.
  static WordKey of(std::string_view word, bool lowercase) {
    std::array<char, longest> bytes{};
    std::copy(word.begin(), word.end(), bytes.begin());
    return of(bytes.data(), word.size(), lowercase);
  }

  /// The word again, in lower case if that was asked for, with blanks behind it.
  std::array<char, longest> text() const {
    const std::uint64_t words[] = {first ^ bytes::each * ' ', second ^ bytes::each * ' '};
    std::array<char, longest> bytes;
    std::memcpy(bytes.data(), words, longest);
    return bytes;
  }

  friend bool operator==(const WordKey&, const WordKey&) = default;

  std::uint64_t hash() const { return first * 0x9e3779b97f4a7c15 + std::rotl(second * 0xd6e8feb86659fd93, 29); }

 private:
  static constexpr std::array<char, 2 * longest> masks = [] {
    std::array<char, 2 * longest> bytes{};
    for (std::size_t i = 0; i < longest; ++i) bytes[i] = static_cast<char>(0xff);
    return bytes;
  }();

  /// A to Z become a to z, if asked for, and blanks 0.
  static std::uint64_t fold(std::uint64_t eight, bool lowercase) {
    const auto upper = bytes::at_least(eight, 'A') & ~bytes::at_least(eight, 'Z' + 1) & ~eight & bytes::highest;
    return (eight | (lowercase ? upper >> 2 : 0)) ^ bytes::each * ' ';
  }
};

/// Pieces of words seen lately, for one tokenizer and one caller at a time. Fixed size, 1 MiB: of
/// 1.6 million words of film reviews 3 % are missing, of half the size 6 %.
/// Two places for a word, in one cache line. A new word takes the second one and moves up when it comes again, so that
/// rare words do not evict frequent ones.
class WordCache {
 public:
  static constexpr std::size_t most_pieces = 4;

  struct Entry {
    WordKey key;                                           // at first that of the empty word
    std::array<token_t, most_pieces> ids{-1, -1, -1, -1};  // -1 behind the last one

    std::size_t count() const {
      std::size_t pieces = 0;
      for (const auto id : ids) pieces += id >= 0;
      return pieces;
    }
  };

  /// Pieces of a word, nullptr if they are not known.
  const Entry* find(const WordKey& key) {
    auto& [often, seldom] = lines_[line(key)].entries;
    if (often.key == key) return &often;
    if (seldom.key != key) return nullptr;
    std::swap(often, seldom);
    return &often;
  }

  /// Remembers the pieces of a word that find did not find, unless there are too many.
  void add(const WordKey& key, std::span<const token_t> ids) {
    if (ids.size() > most_pieces) return;
    auto& entry = lines_[line(key)].entries[1];
    entry.key = key;
    entry.ids.fill(-1);
    for (std::size_t i = 0; i < ids.size(); ++i) entry.ids[i] = ids[i];
  }

 private:
  static constexpr int bits = 14;

  struct alignas(64) Line {
    std::array<Entry, 2> entries;
  };

  static std::size_t line(const WordKey& key) { return static_cast<std::size_t>(key.hash() >> (64 - bits)); }

  std::vector<Line> lines_ = std::vector<Line>(std::size_t{1} << bits);
};

}  // namespace knnbert::inline v0_1
