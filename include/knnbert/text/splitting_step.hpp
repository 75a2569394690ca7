#pragma once
#include <string>
#include <string_view>
#include <utility>

namespace knnbert::inline v0_1 {

/// One pre-tokenizer of tokenizer.json.
struct SplittingStep {
  enum Kind {
    metaspace,    ///< blanks become `mark`, with which a word begins
    white_space,  ///< cut at white space, which goes (WhitespaceSplit)
    words,        ///< runs of word characters and runs of others, without white space (Whitespace)
    punctuation,  ///< each punctuation character stands alone
    pattern,      ///< cut at the matches of `text`
  };
  enum Prefix { always, first, never };  ///< where a text without a mark at its begin gets one
  enum Behavior { removed, isolated, merged_with_previous, merged_with_next };  ///< what becomes of matches

  Kind kind = metaspace;
  std::string text = "\u2581";   ///< metaspace: the mark; pattern: what to look for
  Prefix prefix = always;        ///< metaspace; first: only at the begin of the whole text
  bool split = true;             ///< metaspace: false to leave the text whole
  bool regex = false;            ///< pattern: whether the text is one that TextPattern knows
  Behavior behavior = isolated;  ///< pattern
};

/// What tokenizer.json calls them.
inline constexpr std::pair<std::string_view, SplittingStep::Behavior> behavior_names[] = {
    {"Removed", SplittingStep::removed},
    {"Isolated", SplittingStep::isolated},
    {"MergedWithPrevious", SplittingStep::merged_with_previous},
    {"MergedWithNext", SplittingStep::merged_with_next}};

}  // namespace knnbert::inline v0_1
