#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "knnbert/config.hpp"
#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// What an attack takes for the words of a text.
struct AttackWords {
  bool lower_case = true;
  bool separate_punctuation = false;  ///< "card?" is two words; apostrophes and hyphens stay inside theirs
};

/// The words of a text: what stands between white space.  Bytes that are not UTF-8 count as U+FFFD.
std::vector<std::string> attack_words(std::string_view text, const AttackWords& options = {});

/// A word as tables hold it: in lower case, without white space at its ends.
std::string table_word(std::string_view word);

/// Words with a blank between them, or with something else.
std::string join_words(std::span<const std::string> words, std::string_view separator = " ");

/// The same with another word at a position; an empty one takes the word away with its blank.
std::string join_words_with(std::span<const std::string> words, index_t position, std::string_view replacement,
                            std::string_view separator = " ");

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/attack/words_impl.hpp"
#endif
