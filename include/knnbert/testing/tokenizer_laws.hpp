#pragma once
#include <algorithm>

#include "knnbert/testing/laws.hpp"
#include "knnbert/text/concept.hpp"

namespace knnbert::inline v0_1::testing {

namespace detail {

/// Bytes of every kind as texts.
inline std::vector<std::string> odd_texts() {
  std::string all_bytes, many_words;
  for (int byte = 0; byte < 256; ++byte) all_bytes += static_cast<char>(byte);
  for (int word = 0; word < 300; ++word) many_words += "word" + std::to_string(word % 7) + " ";
  return {"",
          " ",
          "a",
          "Two words.",
          "\xc3\xa9t\xc3\xa9 \xe9\xb3\xa5 \xf0\x9f\x90\xa6",
          "\xff\xfe cut \xe9\xb3",
          std::string(3, '\0'),
          all_bytes,
          many_words};
}

/// One text, or with a second one a pair, in a batch of its own.
template <Tokenizer T>
Batch tokens_of(const T& tokenizer, std::string_view text, const std::string* second, index_t max_length = 0) {
  Batch batch;
  if (second) tokenizer.append(text, *second, batch, max_length);
  else tokenizer.append(text, batch, max_length);
  return batch;
}

}  // namespace detail

/// The laws of Tokenizer, on the given texts and on odd ones, alone and as pairs.
template <Tokenizer T>
BrokenLaws tokenizer_laws(const T& tokenizer, std::vector<std::string> texts = {}) {
  BrokenLaws broken;
  for (auto& text : detail::odd_texts()) texts.push_back(std::move(text));
  const std::string nothing, other = "another text";
  const index_t size = tokenizer.vocabulary_size();
  const SpecialTokens s = tokenizer.special();
  for (const token_t id : {s.unknown, s.classify, s.separate, s.pad, s.mask})
    expect(broken, id >= -1 && id < size, "special token {} of a vocabulary of {}", id, size);
  for (const std::string* second : {static_cast<const std::string*>(nullptr), &other}) {
    const index_t least = detail::tokens_of(tokenizer, nothing, second ? &nothing : nullptr).tokens();
    Batch together;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const Batch own = detail::tokens_of(tokenizer, texts[i], second);
      const auto kind = second ? "pair" : "text";
      expect(broken, own.size() == 1 && own.tokens() == std::ssize(own.ids) && own.segments.size() == own.ids.size(),
             "{} {} is closed, with a segment for each token", kind, i);
      const auto within = [&](token_t id) { return id >= 0 && id < size; };
      expect(broken, std::all_of(own.ids.begin(), own.ids.end(), within), "ids of {} {} are in [0, {})", kind, i, size);
      expect(broken,
             std::is_sorted(own.segments.begin(), own.segments.end()) &&
                 (own.segments.empty() || own.segments.back() <= (second ? 1 : 0)),
             "segments of {} {} are 0, then 1 in the second text of a pair", kind, i);
      if (second) tokenizer.append(texts[i], *second, together, 0);
      else tokenizer.append(texts[i], together, 0);
      expect(broken,
             together.size() == static_cast<index_t>(i) + 1 &&
                 std::ranges::equal(together.text(static_cast<index_t>(i)), own.ids),
             "tokens of {} {} depend on it alone", kind, i);
      for (const index_t limit : {least + 1, least + 5})
        expect(broken, detail::tokens_of(tokenizer, texts[i], second, limit).tokens() <= limit,
               "at most {} tokens of {} {} where no more are allowed", limit, kind, i);
    }
    for (index_t limit = 1; limit < least; ++limit) {
      bool refused = false;
      try {
        detail::tokens_of(tokenizer, other, second, limit);
      } catch (const OptionError&) { refused = true; }
      expect(broken, refused, "a limit of {} for {} special tokens is an OptionError", limit, least);
    }
  }
  return broken;
}

/// The laws of StoredTokenizer. folder: an empty one.
template <StoredTokenizer T>
BrokenLaws stored_tokenizer_laws(const T& tokenizer, const std::filesystem::path& folder,
                                 std::vector<std::string> texts = {}) {
  BrokenLaws broken;
  tokenizer.save(folder);
  const T loaded = T::load(folder);
  for (auto& text : detail::odd_texts()) texts.push_back(std::move(text));
  for (std::size_t i = 0; i < texts.size(); ++i)
    expect(broken,
           detail::tokens_of(loaded, texts[i], nullptr).ids == detail::tokens_of(tokenizer, texts[i], nullptr).ids,
           "what was saved gives the same tokens of text {}", i);
  expect(broken, loaded.vocabulary_size() == tokenizer.vocabulary_size(), "what was saved has as many tokens");
  return broken;
}

}  // namespace knnbert::inline v0_1::testing
