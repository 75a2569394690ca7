#pragma once
#include <algorithm>

#include "knnbert/text/pre_tokenizer_sequence.hpp"
#include "knnbert/text/white_space.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// Cuts a text in runs of characters of equal kind, on_part(part, kind).
template <class KindOf, class OnPart>
bool cut_by_kind(AlignedView text, KindOf kind_of, OnPart&& on_part) {
  const char* const begin = text.text.data();
  const char* const end = begin + text.text.size();
  std::size_t first = 0;
  int last_kind = 0;
  for (const char* at = begin; at != end;) {
    const auto place = static_cast<std::size_t>(at - begin);
    const auto kind = kind_of(unicode::decode(at, end));
    if (place > first && (kind != last_kind || kind < 0)) {
      if (!on_part(text.part(first, place), last_kind)) return false;
      first = place;
    }
    last_kind = kind;
  }
  return first == text.text.size() || on_part(text.part(first, text.text.size()), last_kind);
}

/// White space is 0, what stands alone negative.
inline int space_kind(char32_t c) { return unicode::properties(c) & unicode::space ? 0 : 1; }
inline int word_kind(char32_t c) { return unicode::is_word(c) ? 2 : space_kind(c); }
inline int punctuation_kind(char32_t c) { return unicode::properties(c) & unicode::punctuation ? -1 : 1; }

/// Blanks as marks, and one at the begin if asked for.
inline void write_marks(AlignedView text, const SplittingStep& step, AlignedText& out) {
  out.clear(text.origins != nullptr);
  const auto& mark = step.text;
  if (text.text.empty()) return;
  const bool is_wanted =
      step.prefix == SplittingStep::always || (step.prefix == SplittingStep::first && text.origins[0].begin == 0);
  if (is_wanted && text.text.front() != ' ' && !text.text.starts_with(mark)) out.insert_before(text, mark);
  for (std::size_t at = 0; at < text.text.size();) {
    const auto blank = std::min(text.text.find(' ', at), text.text.size());
    out.keep(text.part(at, blank));
    if (blank < text.text.size()) out.replace(text.part(blank, blank + 1), mark);
    at = blank + 1;
  }
}

/// Parts that begin with a mark, but for the first one.
template <class OnPart>
bool cut_before_marks(AlignedView text, std::string_view mark, OnPart&& on_part) {
  for (std::size_t first = 0; first < text.text.size();) {
    const auto next = std::min(text.text.find(mark, first + 1), text.text.size());
    if (!on_part(text.part(first, next))) return false;
    first = next;
  }
  return true;
}

template <class OnPart>
bool cut_at_matches(AlignedView text, const TextPattern& pattern, SplittingStep::Behavior behavior, OnPart&& on_part) {
  const auto pass = [&](std::size_t first, std::size_t last) {
    return first == last || on_part(text.part(first, last));
  };
  std::size_t open = 0;  // begin of what has not been passed on
  for (std::size_t at = 0; at < text.text.size();) {
    const auto match = pattern.find(text.text, at);
    if (match.begin == match.end) break;
    const bool joins_next = behavior == SplittingStep::merged_with_next;
    const bool joins_previous = behavior == SplittingStep::merged_with_previous && open < match.begin;
    if (!pass(open, joins_previous ? match.end : match.begin)) return false;
    open = joins_previous || behavior == SplittingStep::removed ? match.end : match.begin;
    if (!joins_next && !pass(open, match.end)) return false;
    if (!joins_next) open = match.end;
    at = match.end;
  }
  return pass(open, text.text.size());
}

}  // namespace detail

template <class OnPart>
inline bool PreTokenizerSequence::cut(const Step& step, AlignedView text, AlignedText& scratch, OnPart&& on_part) {
  const auto on_kind = [&](AlignedView part, int kind) { return kind == 0 || on_part(part); };
  switch (step.options.kind) {
    case SplittingStep::white_space: return detail::cut_by_kind(text, detail::space_kind, on_kind);
    case SplittingStep::words: return detail::cut_by_kind(text, detail::word_kind, on_kind);
    case SplittingStep::punctuation: return detail::cut_by_kind(text, detail::punctuation_kind, on_kind);
    case SplittingStep::pattern: return detail::cut_at_matches(text, *step.pattern, step.options.behavior, on_part);
    case SplittingStep::metaspace: break;
  }
  detail::write_marks(text, step.options, scratch);
  if (step.options.split) return detail::cut_before_marks(scratch.view(), step.options.text, on_part);
  return scratch.view().text.empty() || on_part(scratch.view());
}

template <class OnWord>
inline bool PreTokenizerSequence::run(std::size_t step, AlignedView text, Scratch& scratch, OnWord& on_word) const {
  if (step == steps_.size()) return text.text.empty() || on_word(text);
  return cut(steps_[step], text, scratch[step],
             [&](AlignedView part) { return run(step + 1, part, scratch, on_word); });
}

template <class OnWord>
inline void PreTokenizerSequence::operator()(AlignedView text, Scratch& scratch, OnWord&& on_word) const {
  if (scratch.size() < steps_.size()) scratch.resize(steps_.size());
  run(0, text, scratch, on_word);
}

}  // namespace knnbert::inline v0_1
