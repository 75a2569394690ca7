#pragma once
#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "knnbert/core/types.hpp"
#include "knnbert/text/white_space.hpp"

namespace knnbert {

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
  explicit AddedTokenMatcher(std::vector<Pattern> patterns) : patterns_(std::move(patterns)) {
    std::erase_if(patterns_, [](const Pattern& p) { return p.token.content.empty(); });
    std::stable_sort(patterns_.begin(), patterns_.end(), [](const Pattern& a, const Pattern& b) {
      if (first_byte(a) != first_byte(b)) return first_byte(a) < first_byte(b);
      return a.token.content.size() > b.token.content.size();
    });
    for (const auto& pattern : patterns_) ++begin_[first_byte(pattern) + 1];
    for (std::size_t byte = 0; byte < 256; ++byte) begin_[byte + 1] += begin_[byte];
  }

  bool empty() const { return patterns_.empty(); }

  /// Calls on_token(id) for each match and on_text(part) for what is between them, in order.
  template <class OnText, class OnToken>
  void operator()(std::string_view text, OnText&& on_text, OnToken&& on_token) const {
    std::size_t done = 0;
    for (std::size_t at = next_start(text, 0); at < text.size(); at = next_start(text, at)) {
      const auto* const pattern = find(text.substr(at));
      if (pattern == nullptr) {
        ++at;
        continue;
      }
      const auto end = at + pattern->token.content.size();
      if (pattern->matches && (!pattern->token.single_word || stands_alone(text, at, end))) {
        const auto first = pattern->token.strip_left ? unicode::space_before(text, done, at) : at;
        if (done < first) on_text(text.substr(done, first - done));
        on_token(pattern->token.id);
        done = pattern->token.strip_right ? unicode::space_after(text, end) : end;
      }
      at = end;
    }
    if (done < text.size()) on_text(text.substr(done));
  }

 private:
  static std::size_t first_byte(const Pattern& pattern) {
    return static_cast<unsigned char>(pattern.token.content.front());
  }

  /// The next place from `at` on where the first byte of a pattern stands.
  std::size_t next_start(std::string_view text, std::size_t at) const {
    const auto starts = [&](char c) {
      const auto byte = static_cast<unsigned char>(c);
      return begin_[byte] != begin_[byte + 1u];
    };
    while (at < text.size() && !starts(text[at])) ++at;
    return at;
  }

  /// The longest pattern at the start of a non-empty text.
  const Pattern* find(std::string_view text) const {
    const auto byte = static_cast<unsigned char>(text.front());
    for (auto i = begin_[byte]; i < begin_[byte + 1u]; ++i)
      if (text.starts_with(patterns_[i].token.content)) return &patterns_[i];
    return nullptr;
  }

  static bool stands_alone(std::string_view text, std::size_t first, std::size_t end) {
    if (first > 0 && unicode::is_word(unicode::character_before(text, 0, first).first)) return false;
    const char* at = text.data() + end;
    return end == text.size() || !unicode::is_word(unicode::decode(at, text.data() + text.size()));
  }

  std::vector<Pattern> patterns_;            // by first byte, there the longest first
  std::array<std::size_t, 257> begin_ = {};  // patterns of each first byte
};

}  // namespace knnbert
