#pragma once
#include "knnbert/config.hpp"
#include "knnbert/core/error.hpp"
#include "knnbert/text/pre_tokenizer_sequence.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE PreTokenizerSequence::PreTokenizerSequence(const std::vector<SplittingStep>& steps) {
  for (const auto& step : steps) {
    const auto& text = step.text;
    const char* at = text.data();
    const bool is_character = !text.empty() && (unicode::decode(at, text.data() + text.size()), true);
    if (step.kind == SplittingStep::metaspace && (!is_character || at != text.data() + text.size()))
      raise<OptionError>("PreTokenizerSequence: mark '{}' given, one character expected", text);
    needs_origins_ |= step.kind == SplittingStep::metaspace && step.prefix == SplittingStep::first;
    steps_.push_back({step, std::nullopt});
    if (step.kind == SplittingStep::pattern) steps_.back().pattern.emplace(text, step.regex);
  }
}

}  // namespace knnbert::inline v0_1
