#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knnbert/text/aligned_text.hpp"
#include "knnbert/text/character_map.hpp"
#include "knnbert/text/normalization_step.hpp"
#include "knnbert/text/text_pattern.hpp"

namespace knnbert::inline v0_1 {

/// Normalizers of tokenizers 0.23, one after the other.  Cost: linear.  Thread-safe.
class NormalizerSequence {
 public:
  /// Errors: OptionError for patterns and maps that are none.
  explicit NormalizerSequence(const std::vector<NormalizationStep>& steps);

  bool empty() const { return steps_.empty(); }

  /// Replaces UTF-8 by what the steps make of it; `scratch` is overwritten.
  /// Errors: FormatError where a text becomes 256 times as long and more.
  void operator()(AlignedText& text, AlignedText& scratch) const;

  std::string normalize(std::string_view text) const;

 private:
  struct Step {
    NormalizationStep options;  // without the bytes of the map
    std::optional<TextPattern> pattern;
    std::optional<CharacterMap> map;
  };

  static void apply(const Step& step, AlignedView from, std::size_t most, AlignedText& to);

  std::vector<Step> steps_;
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/text/normalizer_sequence_impl.hpp"
#endif
