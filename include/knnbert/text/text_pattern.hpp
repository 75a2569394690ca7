#pragma once
#include <string>
#include <string_view>

#include "knnbert/text/aligned_text.hpp"

namespace knnbert::inline v0_1 {

/// What tokenizer files look for in texts: a string, or of regular expressions one character or \s, repeated or not.
class TextPattern {
 public:
  /// Errors: OptionError for an empty string and for any other regular expression.
  TextPattern(const std::string& text, bool is_regex);

  /// The first match from `at` on, an empty one at the end of the text.
  ByteSpan find(std::string_view text, std::size_t at) const;

 private:
  /// End of the unit that is at `at`, `at` if there is none.
  std::size_t unit_end(std::string_view text, std::size_t at) const;
  bool read_regex(std::string_view text);
  bool read_count(std::string_view braces);

  std::string text_;  // the string, or the unit
  bool is_space_ = false, repeats_ = false;
  std::size_t least_ = 0;  // repetitions of the unit; 0: a string
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/text/text_pattern_impl.hpp"
#endif
