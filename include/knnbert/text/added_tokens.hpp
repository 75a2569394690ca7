#pragma once
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// A token that is looked for in the text itself, before it is cut into words.
struct AddedToken {
  std::string content;
  token_t id = 0;
  bool special = true;
  bool single_word = false;  ///< matches only where no word character touches it
  bool strip_left = false;   ///< takes the white space before it
  bool strip_right = false;  ///< takes the white space behind it
  bool normalized = false;   ///< its normalized form is looked for in the normalized text
};

/// Which added tokens a text can name. Those that it cannot are ordinary characters of the text.
enum class AddedTokenMatching {
  none,      ///< texts name none
  ordinary,  ///< those that are not special: no text can smuggle in a special token
  all,       ///< as tokenizers does unless asked otherwise
};

/// Cuts text at the leftmost, and there longest, occurrence of added tokens.
class AddedTokenMatcher {
 public:
  struct Pattern {
    AddedToken token;     // content is the text to look for
    bool matches = true;  // false: an occurrence stays text, but no other token may begin inside it
  };

  AddedTokenMatcher() = default;
  explicit AddedTokenMatcher(std::vector<Pattern> patterns);

  bool empty() const { return patterns_.empty(); }

  /// Calls on_token(id), or on_token(id, part) with the part that it takes, for each match and on_text(part) for what
  /// is between them, in order.
  /// Defined in added_token_search.hpp.
  template <class OnText, class OnToken>
  void operator()(std::string_view text, OnText&& on_text, OnToken&& on_token) const;

 private:
  static std::size_t first_byte(const Pattern& pattern) {
    return static_cast<unsigned char>(pattern.token.content.front());
  }

  /// The next place from `at` on where the first byte of a pattern stands.
  std::size_t next_start(std::string_view text, std::size_t at) const;
  /// The longest pattern at the start of a non-empty text.
  const Pattern* find(std::string_view text) const;
  static bool stands_alone(std::string_view text, std::size_t first, std::size_t end);

  std::vector<Pattern> patterns_;            // by first byte, there the longest first
  std::array<std::size_t, 257> begin_ = {};  // patterns of each first byte
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/text/added_tokens_impl.hpp"
#endif
