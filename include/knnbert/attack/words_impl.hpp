#pragma once
#include "knnbert/attack/words.hpp"
#include "knnbert/text/white_space.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE std::vector<std::string> attack_words(std::string_view text, const AttackWords& options) {
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) words.push_back(std::move(word));
    word.clear();
  };
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at != end;) {
    const char32_t code = unicode::decode(at, end);
    const auto properties = unicode::properties(code);
    if (properties & unicode::space) {
      end_word();
      continue;
    }
    const bool alone = options.separate_punctuation && properties & unicode::punctuation && code != '\'' &&
                       code != '-' && code != 0x2019;
    if (alone) end_word();
    if (options.lower_case) unicode::to_lower(code, [&](char32_t c) { unicode::encode(c, word); });
    else unicode::encode(code, word);
    if (alone) end_word();
  }
  end_word();
  return words;
}

KNNBERT_INLINE std::string table_word(std::string_view word) { return join_words(attack_words(word)); }

KNNBERT_INLINE std::string join_words(std::span<const std::string> words, std::string_view separator) {
  std::string text;
  for (const auto& word : words) {
    if (!text.empty()) text += separator;
    text += word;
  }
  return text;
}

KNNBERT_INLINE std::string join_words_with(std::span<const std::string> words, index_t position,
                                           std::string_view replacement, std::string_view separator) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = i == as_size(position) ? replacement : std::string_view(words[i]);
    if (word.empty()) continue;
    if (!text.empty()) text += separator;
    text += word;
  }
  return text;
}

}  // namespace knnbert::inline v0_1
