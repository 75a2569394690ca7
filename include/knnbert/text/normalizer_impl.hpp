#pragma once
#include "knnbert/config.hpp"
#include "knnbert/io/utf8.hpp"
#include "knnbert/text/normalizer.hpp"
#include "knnbert/text/normalizer_pass.hpp"
#include "knnbert/text/unicode.hpp"

namespace knnbert::inline v0_1 {

inline Normalizer::Ascii Normalizer::normalized_ascii(std::uint8_t byte) const {
  const auto properties = unicode::properties(byte);
  if (options_.clean_text && properties & unicode::dropped) return {0, 0, true};
  if (options_.clean_text && properties & unicode::space) return {U' ', unicode::space, false};
  const bool lowers = options_.lowercase && properties & unicode::upper;
  const char32_t character = lowers ? byte + 32u : byte;
  return {character, unicode::properties(character), false};
}

KNNBERT_INLINE Normalizer::Normalizer(NormalizerOptions options)
    : options_(options), strips_(options.strip_accents.value_or(options.lowercase)) {
  for (std::uint8_t c = 0; c < 128; ++c) ascii_[c] = normalized_ascii(c);
}

KNNBERT_INLINE std::string Normalizer::normalize(std::string_view text) const {
  struct Copy {
    std::string text;
    void push(char32_t c, std::uint8_t) { unicode::encode(c, text); }
    static constexpr bool full() { return false; }
  } copy;
  (*this)(text, copy);
  return std::move(copy.text);
}

}  // namespace knnbert::inline v0_1
