#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace knnbert::inline v0_1 {

struct NormalizerOptions {
  bool clean_text = true;                  ///< remove control characters and U+FFFD, make every white space a blank
  bool chinese_characters = true;          ///< blanks around CJK characters
  std::optional<bool> strip_accents = {};  ///< decompose (NFD) and remove nonspacing marks; as lowercase if not set
  bool lowercase = true;
};

/// The text as BERT's vocabulary expects it: BertNormalizer of tokenizers 0.23.
class Normalizer {
 public:
  explicit Normalizer(NormalizerOptions options = {});

  const NormalizerOptions& options() const { return options_; }

  /// Calls sink.push(character, unicode properties) for each character of the normalized text until sink.full().
  /// Bytes that are not UTF-8 count as U+FFFD.  Cost: linear, but for runs of n reordered marks n log n.
  /// Defined in normalizer_pass.hpp.
  template <class Sink>
  void operator()(std::string_view text, Sink& sink) const;

  std::string normalize(std::string_view text) const;

 private:
  struct Ascii {
    char32_t character;
    std::uint8_t properties;
    bool is_dropped;
  };
  using Marks = std::vector<std::pair<std::uint8_t, char32_t>>;  // combining class and character, in order of the text

  Ascii normalized_ascii(std::uint8_t byte) const;
  template <class Sink>
  void add(char32_t c, Marks& marks, Sink& sink) const;
  /// Removes accents and collects what canonical ordering may move.
  template <class Sink>
  void add_decomposed(char32_t c, std::uint8_t properties, Marks& marks, Sink& sink) const;
  template <class Sink>
  void add_starter(char32_t c, std::uint8_t properties, Marks& marks, Sink& sink) const;
  template <class Sink>
  void release(Marks& marks, Sink& sink) const;
  template <class Sink>
  void give(char32_t c, std::uint8_t properties, Sink& sink) const;

  NormalizerOptions options_;
  bool strips_;
  std::array<Ascii, 128> ascii_;
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/text/normalizer_impl.hpp"
#endif
