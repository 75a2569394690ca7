#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "knnbert/core/types.hpp"
#include "knnbert/io/utf8.hpp"
#include "knnbert/text/unicode.hpp"

namespace knnbert::inline v0_1 {

/// Cuts normalized text at white space and around each punctuation character: BertPreTokenizer of tokenizers 0.23.
/// A sink of Normalizer. Calls consume(word, characters) for each word; consume.full() ends the text early.
/// Of a word with more than `longest` characters only the first ones are passed on, with the true count.
template <class Consume>
class WordSplitter {
 public:
  /// The buffer holds a word at a time; given the one that an earlier splitter left, nothing is allocated.
  explicit WordSplitter(Consume& consume, index_t longest, std::string buffer = {})
      : consume_(consume), longest_(longest), word_(std::move(buffer)) {
    word_.clear();
  }

  void push(char32_t c, std::uint8_t properties) {
    if (properties & unicode::space) return close();
    const bool stands_alone = properties & unicode::punctuation;
    if (stands_alone) close();
    if (++characters_ <= longest_) unicode::encode(c, word_);
    if (stands_alone) close();
  }

  /// Ends the word; call it after the last character.
  void close() {
    if (characters_ == 0) return;
    consume_(std::string_view(word_), characters_);
    word_.clear();
    characters_ = 0;
  }

  std::string buffer() && { return std::move(word_); }

  bool full() const { return consume_.full(); }

 private:
  Consume& consume_;
  index_t longest_;
  index_t characters_ = 0;
  std::string word_;
};

}  // namespace knnbert::inline v0_1
