#pragma once
#include <algorithm>
#include <utility>

#include "knnbert/config.hpp"
#include "knnbert/text/added_token_search.hpp"
#include "knnbert/text/added_tokens.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE AddedTokenMatcher::AddedTokenMatcher(std::vector<Pattern> patterns) : patterns_(std::move(patterns)) {
  std::erase_if(patterns_, [](const Pattern& p) { return p.token.content.empty(); });
  std::stable_sort(patterns_.begin(), patterns_.end(), [](const Pattern& a, const Pattern& b) {
    if (first_byte(a) != first_byte(b)) return first_byte(a) < first_byte(b);
    return a.token.content.size() > b.token.content.size();
  });
  for (const auto& pattern : patterns_) ++begin_[first_byte(pattern) + 1];
  for (std::size_t byte = 0; byte < 256; ++byte) begin_[byte + 1] += begin_[byte];
}

}  // namespace knnbert::inline v0_1
