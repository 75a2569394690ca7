#pragma once
#include "knnbert/core/checksum.hpp"
#include "knnbert/text/concept.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// Texts on which tokenizers differ that treat case, accents, marks or ideographs differently.
inline constexpr std::string_view telling_texts[] = {
    "", "Where is MY card, the 2nd one?", "na\u00efve Caf\u00e9s don't \u6f22\u5b57", "  two  spaces\nand a line"};

}  // namespace detail

/// 16 hexadecimal digits of what turns texts into keys beside the parameters: the encoder's settings, if its config()
/// has a member function(), and the tokenizer's words, special tokens and ids of a few texts. Other settings of the
/// same function, such as dropout, do not change it. Not cryptographic.
template <class Encoder, Tokenizer T>
std::string function_checksum(const Encoder& encoder, const T& tokenizer) {
  Checksum checksum;
  if constexpr (requires { std::string(encoder.config().function()); })
    checksum.update(std::string(encoder.config().function()));
  const SpecialTokens special = tokenizer.special();
  for (const token_t id : {special.unknown, special.classify, special.separate, special.pad, special.mask})
    checksum.update(format("{} ", id));
  Batch batch;
  for (const auto text : detail::telling_texts) tokenizer.append(text, batch, 0);
  tokenizer.append(detail::telling_texts[1], detail::telling_texts[2], batch, 0);
  checksum.update(std::as_bytes(std::span(batch.ids)));
  checksum.update(std::as_bytes(std::span(batch.segments)));
  if constexpr (requires { std::string_view(tokenizer.vocabulary().token(0)); })
    for (token_t id = 0; id < tokenizer.vocabulary().size(); ++id) {
      checksum.update(tokenizer.vocabulary().token(id));
      checksum.update("\n");
    }
  return checksum.digits();
}

}  // namespace knnbert::inline v0_1
