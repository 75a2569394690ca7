#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "knnbert/io/utf8.hpp"
#include "knnbert/text/unicode.hpp"

namespace knnbert {

struct NormalizerOptions {
  bool clean_text = true;                  ///< remove control characters and U+FFFD, make every white space a blank
  bool chinese_characters = true;          ///< blanks around CJK characters
  std::optional<bool> strip_accents = {};  ///< decompose (NFD) and remove nonspacing marks; as lowercase if not set
  bool lowercase = true;
};

/// The text as BERT's vocabulary expects it: BertNormalizer of tokenizers 0.23.
class Normalizer {
 public:
  explicit Normalizer(NormalizerOptions options = {})
      : options_(options), strips_(options.strip_accents.value_or(options.lowercase)) {
    for (std::uint8_t c = 0; c < 128; ++c) ascii_[c] = normalized_ascii(c);
  }

  const NormalizerOptions& options() const { return options_; }

  /// Calls sink.push(character, unicode properties) for each character of the normalized text until sink.full().
  /// Bytes that are not UTF-8 count as U+FFFD.  Cost: linear, but for runs of n reordered marks n log n.
  template <class Sink>
  void operator()(std::string_view text, Sink& sink) const {
    Marks marks;
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at != end && !sink.full()) {
      if (const auto byte = static_cast<unsigned char>(*at); byte < 0x80) {
        ++at;
        if (ascii_[byte].is_dropped) continue;
        if (!marks.empty()) release(marks, sink);
        sink.push(ascii_[byte].character, ascii_[byte].properties);
      } else {
        add(unicode::decode(at, end), marks, sink);
      }
    }
    release(marks, sink);
  }

  std::string normalize(std::string_view text) const {
    struct Copy {
      std::string text;
      void push(char32_t c, std::uint8_t) { unicode::encode(c, text); }
      static constexpr bool full() { return false; }
    } copy;
    (*this)(text, copy);
    return std::move(copy.text);
  }

 private:
  struct Ascii {
    char32_t character;
    std::uint8_t properties;
    bool is_dropped;
  };
  using Marks = std::vector<std::pair<std::uint8_t, char32_t>>;  // combining class and character, in order of the text

  Ascii normalized_ascii(std::uint8_t byte) const {
    const auto properties = unicode::properties(byte);
    if (options_.clean_text && properties & unicode::dropped) return {0, 0, true};
    if (options_.clean_text && properties & unicode::space) return {U' ', unicode::space, false};
    const bool lowers = options_.lowercase && properties & unicode::upper;
    const char32_t character = lowers ? byte + 32u : byte;
    return {character, unicode::properties(character), false};
  }

  template <class Sink>
  void add(char32_t c, Marks& marks, Sink& sink) const {
    const auto properties = unicode::properties(c);
    if (options_.clean_text && properties & unicode::dropped) return;
    if (options_.clean_text && properties & unicode::space) return add_starter(U' ', unicode::space, marks, sink);
    const bool is_set_apart = options_.chinese_characters && properties & unicode::chinese;
    if (is_set_apart) add_starter(U' ', unicode::space, marks, sink);
    if (!strips_) emit(c, properties, sink);
    else if (!(properties & unicode::decomposes)) add_decomposed(c, properties, marks, sink);
    else unicode::decompose(c, [&](char32_t part) { add_decomposed(part, unicode::properties(part), marks, sink); });
    if (is_set_apart) add_starter(U' ', unicode::space, marks, sink);
  }

  /// Removes accents and collects what canonical ordering may move.
  template <class Sink>
  void add_decomposed(char32_t c, std::uint8_t properties, Marks& marks, Sink& sink) const {
    const auto combining = properties & unicode::decomposes ? unicode::combining_class(c) : std::uint8_t{0};
    if (combining == 0) release(marks, sink);
    if (properties & unicode::mark) return;
    if (combining == 0) emit(c, properties, sink);
    else marks.emplace_back(combining, c);
  }

  template <class Sink>
  void add_starter(char32_t c, std::uint8_t properties, Marks& marks, Sink& sink) const {
    release(marks, sink);
    emit(c, properties, sink);
  }

  template <class Sink>
  void release(Marks& marks, Sink& sink) const {
    if (marks.empty()) return;
    std::stable_sort(marks.begin(), marks.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [combining, c] : marks) emit(c, unicode::properties(c), sink);
    marks.clear();
  }

  template <class Sink>
  void emit(char32_t c, std::uint8_t properties, Sink& sink) const {
    if (options_.lowercase && properties & unicode::upper)
      unicode::to_lower(c, [&](char32_t lower) { sink.push(lower, unicode::properties(lower)); });
    else sink.push(c, properties);
  }

  NormalizerOptions options_;
  bool strips_;
  std::array<Ascii, 128> ascii_;
};

}  // namespace knnbert
