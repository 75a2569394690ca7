#pragma once
#include <string>
#include <string_view>
#include <utility>

namespace knnbert::inline v0_1 {

/// One normalizer of tokenizer.json.
struct NormalizationStep {
  enum Kind {
    lowercase,
    strip,    ///< white space at the ends
    replace,  ///< every match of `pattern`
    nmt,      ///< SentencePiece's cleaning: some control characters removed, kinds of white space made blanks
    nfc,      ///< Unicode 9, as the next one
    nfkc,
    precompiled,  ///< CharacterMap
  };

  Kind kind = lowercase;
  std::string pattern = {};        ///< replace
  std::string content = {};        ///< replace: what for; precompiled: the bytes of the map
  bool regex = false;              ///< replace: whether the pattern is one that TextPattern knows
  bool left = true, right = true;  ///< strip
};

/// What tokenizer.json calls them.
inline constexpr std::pair<std::string_view, NormalizationStep::Kind> normalization_names[] = {
    {"Lowercase", NormalizationStep::lowercase},
    {"Strip", NormalizationStep::strip},
    {"Replace", NormalizationStep::replace},
    {"Nmt", NormalizationStep::nmt},
    {"NFC", NormalizationStep::nfc},
    {"NFKC", NormalizationStep::nfkc},
    {"Precompiled", NormalizationStep::precompiled}};

}  // namespace knnbert::inline v0_1
