#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knnbert/text/aligned_text.hpp"
#include "knnbert/text/splitting_step.hpp"
#include "knnbert/text/text_pattern.hpp"

namespace knnbert::inline v0_1 {

/// Pre-tokenizers of tokenizers 0.23, each for the parts that the one before it leaves.  Thread-safe.
class PreTokenizerSequence {
 public:
  /// A text for every step that writes one; reused, it saves allocations.
  using Scratch = std::vector<AlignedText>;

  /// Errors: OptionError for a mark that is not one character and for patterns that are none.
  explicit PreTokenizerSequence(const std::vector<SplittingStep>& steps);

  /// Whether parts need origins.
  bool needs_origins() const { return needs_origins_; }

  /// Calls on_word(part) for each word of UTF-8, in order, until it returns false. Parts end with the next call.
  /// Defined in pre_tokenizer_pass.hpp.
  template <class OnWord>
  void operator()(AlignedView text, Scratch& scratch, OnWord&& on_word) const;

 private:
  struct Step {
    SplittingStep options;
    std::optional<TextPattern> pattern;
  };

  template <class OnWord>
  bool run(std::size_t step, AlignedView text, Scratch& scratch, OnWord& on_word) const;
  /// Calls on_part(part) for what the step makes of a text, until it returns false.
  template <class OnPart>
  static bool cut(const Step& step, AlignedView text, AlignedText& scratch, OnPart&& on_part);

  std::vector<Step> steps_;
  bool needs_origins_ = false;
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/text/pre_tokenizer_sequence_impl.hpp"
#endif
