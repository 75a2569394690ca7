#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "knnbert/core/error.hpp"
#include "knnbert/text/aligned_text.hpp"
#include "knnbert/text/white_space.hpp"

namespace knnbert::inline v0_1 {

/// What tokenizer files look for in texts: a string, or of regular expressions one character or \s, repeated or not.
class TextPattern {
 public:
  /// Errors: OptionError for an empty string and for any other regular expression.
  TextPattern(const std::string& text, bool is_regex) : text_(text) {
    if (is_regex && !read_regex(text))
      raise<OptionError>(
          "TextPattern: regular expression '{}' given, a character or \\s, alone or with + or {{n,}}, "
          "expected",
          text);
    if (text.empty()) raise<OptionError>("TextPattern: an empty text given, one that is not empty expected");
  }

  /// The first match from `at` on, an empty one at the end of the text.
  ByteSpan find(std::string_view text, std::size_t at) const {
    if (least_ == 0) {
      const auto found = text.find(text_, at);
      return found == text.npos ? ByteSpan{text.size(), text.size()} : ByteSpan{found, found + text_.size()};
    }
    while (at < text.size()) {
      auto end = at;
      std::size_t count = 0;
      for (auto next = unit_end(text, end); next > end; next = repeats_ ? unit_end(text, end) : end) {
        end = next;
        ++count;
      }
      if (count >= least_) return {at, end};
      if (end == at) unicode_step(text, end);
      at = end;
    }
    return {text.size(), text.size()};
  }

 private:
  /// End of the unit that is at `at`, `at` if there is none.
  std::size_t unit_end(std::string_view text, std::size_t at) const {
    if (!is_space_) return text.substr(at).starts_with(text_) ? at + text_.size() : at;
    auto end = at;
    if (end < text.size() && unicode::properties(unicode_step(text, end)) & unicode::space) return end;
    return at;
  }

  static char32_t unicode_step(std::string_view text, std::size_t& at) {
    const char* place = text.data() + at;
    const auto code = unicode::decode(place, text.data() + text.size());
    at = static_cast<std::size_t>(place - text.data());
    return code;
  }

  bool read_regex(std::string_view text) {
    if (text.empty()) return false;
    std::size_t end = text.front() == '\\' && text.size() > 1 ? 1 : 0;
    const auto unit = end;
    is_space_ = end == 1 && text[1] == 's';
    const bool is_escape =
        end == 1 && (unicode::properties(static_cast<unsigned char>(text[1])) & unicode::punctuation);
    if (end == 1 && !is_space_ && !is_escape) return false;
    if (end == 0 && text.find_first_of("\\^$.|?*+()[]{}") == 0) return false;
    unicode_step(text, end);
    text_ = text.substr(unit, end - unit);
    least_ = 1;
    const auto rest = text.substr(end);
    repeats_ = !rest.empty();
    return rest.empty() || rest == "+" || (rest.starts_with('{') && rest.ends_with(",}") && read_count(rest));
  }

  bool read_count(std::string_view braces) {
    if (braces.size() < 4 || braces.size() > 7) return false;
    least_ = 0;
    for (const char digit : braces.substr(1, braces.size() - 3)) {
      if (digit < '0' || digit > '9') return false;
      least_ = least_ * 10 + static_cast<std::size_t>(digit - '0');
    }
    return least_ > 0;
  }

  std::string text_;  // the string, or the unit
  bool is_space_ = false, repeats_ = false;
  std::size_t least_ = 0;  // repetitions of the unit; 0: a string
};

}  // namespace knnbert::inline v0_1
