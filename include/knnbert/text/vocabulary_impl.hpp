#pragma once
#include <bit>
#include <limits>

#include "knnbert/config.hpp"
#include "knnbert/core/error.hpp"
#include "knnbert/text/vocabulary.hpp"

namespace knnbert::inline v0_1 {

inline void Vocabulary::add(std::string_view token) {
  const auto id = static_cast<token_t>(ends_.size());
  bytes_ += token;
  ends_.push_back(bytes_.size());
  if (token.empty()) return;
  const auto value = hash(token);
  auto slot = value >> shift_;
  while (slots_[slot].id >= 0 && text(slots_[slot].id) != token) slot = (slot + 1) & (slots_.size() - 1);
  slots_[slot] = {static_cast<std::uint32_t>(value), id};
}

KNNBERT_INLINE Vocabulary::Vocabulary(std::span<const std::string> tokens) {
  if (tokens.size() > std::numeric_limits<token_t>::max() / 2)
    raise<OptionError>("Vocabulary: {} tokens given, at most {} expected", tokens.size(),
                       std::numeric_limits<token_t>::max() / 2);
  slots_.resize(std::bit_ceil(2 * tokens.size() + 2));
  shift_ = 64 - std::countr_zero(slots_.size());
  for (const auto& token : tokens) add(token);
}

KNNBERT_INLINE std::string_view Vocabulary::token(token_t id) const {
  if (id < 0 || id >= size())
    raise<OptionError>("Vocabulary::token: id {} given, at least 0 and below {} expected", id, size());
  return text(id);
}

}  // namespace knnbert::inline v0_1
