#pragma once
#include <utility>

#include "knnbert/config.hpp"
#include "knnbert/core/error.hpp"
#include "knnbert/text/composition.hpp"
#include "knnbert/text/normalizer_sequence.hpp"
#include "knnbert/text/white_space.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

inline void lowercase_characters(AlignedView from, AlignedText& to) {
  std::string lower;
  each_character(from, [&](char32_t code, AlignedView part) {
    if (!(unicode::properties(code) & unicode::upper)) return to.keep(part);
    lower.clear();
    unicode::to_lower(code, [&](char32_t c) { unicode::encode(c, lower); });
    to.replace(part, lower);
  });
}

inline void strip_spaces(AlignedView from, bool left, bool right, AlignedText& to) {
  const auto first = left ? unicode::space_after(from.text, 0) : 0;
  to.keep(from.part(first, right ? unicode::space_before(from.text, first, from.text.size()) : from.text.size()));
}

/// Replacements of replacements grow without bound.
inline void require_growth(std::size_t bytes, std::size_t most) {
  if (bytes > most) raise<FormatError>("NormalizerSequence: a text grew to {} bytes, at most {} expected", bytes, most);
}

inline void replace_matches(AlignedView from, const TextPattern& pattern, std::string_view by, std::size_t most,
                            AlignedText& to) {
  for (std::size_t at = 0; at < from.text.size();) {
    const auto match = pattern.find(from.text, at);
    to.keep(from.part(at, match.begin));
    if (match.begin != match.end) to.replace(from.part(match.begin, match.end), by);
    at = match.end;
    require_growth(to.view().text.size(), most);
  }
}

/// The cleaning of "neural machine translation" rules of SentencePiece.
inline void clean_characters(AlignedView from, AlignedText& to) {
  each_character(from, [&](char32_t c, AlignedView part) {
    const bool is_dropped =
        (c >= 1 && c <= 8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f || c == 0x8f || c == 0x9f;
    const bool is_blank = c == 9 || c == 0xa || c == 0xc || c == 0xd || c == 0x1680 || (c >= 0x200b && c <= 0x200f) ||
                          c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xfeff || c == 0xfffd;
    if (is_blank) to.replace(part, " ");
    else if (!is_dropped) to.keep(part);
  });
}

}  // namespace detail

KNNBERT_INLINE NormalizerSequence::NormalizerSequence(const std::vector<NormalizationStep>& steps) {
  for (const auto& step : steps) {
    steps_.emplace_back();
    auto& own = steps_.back();
    if (step.kind == NormalizationStep::replace) own.pattern.emplace(step.pattern, step.regex);
    if (step.kind == NormalizationStep::precompiled) own.map.emplace(step.content);
    own.options = step;
    if (own.map) own.options.content.clear();
  }
}

inline void NormalizerSequence::apply(const Step& step, AlignedView from, std::size_t most, AlignedText& to) {
  const auto& options = step.options;
  switch (options.kind) {
    case NormalizationStep::lowercase: return detail::lowercase_characters(from, to);
    case NormalizationStep::strip: return detail::strip_spaces(from, options.left, options.right, to);
    case NormalizationStep::replace: return detail::replace_matches(from, *step.pattern, options.content, most, to);
    case NormalizationStep::nmt: return detail::clean_characters(from, to);
    case NormalizationStep::nfc: return compose(from, false, to);
    case NormalizationStep::nfkc: return compose(from, true, to);
    case NormalizationStep::precompiled: return (*step.map)(from, to);
  }
}

KNNBERT_INLINE void NormalizerSequence::operator()(AlignedText& text, AlignedText& scratch) const {
  const auto most = 256 * text.view().text.size() + 65536;
  for (const auto& step : steps_) {
    scratch.clear(text.is_aligned());
    apply(step, text.view(), most, scratch);
    detail::require_growth(scratch.view().text.size(), most);
    std::swap(text, scratch);
  }
}

KNNBERT_INLINE std::string NormalizerSequence::normalize(std::string_view text) const {
  AlignedText whole, scratch;
  whole.assign(text, 0, false);
  (*this)(whole, scratch);
  return std::string(whole.view().text);
}

}  // namespace knnbert::inline v0_1
