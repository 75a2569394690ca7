#pragma once
#include <string>
#include <vector>

#include "knnbert/text/added_tokens.hpp"
#include "knnbert/text/normalizer.hpp"
#include "knnbert/text/suggested_lengths.hpp"

namespace knnbert::inline v0_1 {

/// The defaults are those of BERT, uncased.
struct WordPieceOptions {
  NormalizerOptions normalizer = {};
  std::string unknown_token = "[UNK]";
  std::string classify_token = "[CLS]";
  std::string separate_token = "[SEP]";
  std::string pad_token = "[PAD]";
  std::string mask_token = "[MASK]";
  std::string prefix = "##";                  ///< of pieces that continue a word
  index_t max_characters_per_word = 100;      ///< longer words are unknown
  std::vector<AddedToken> added_tokens = {};  ///< beside the five above, which need not be repeated
  AddedTokenMatching matching = AddedTokenMatching::ordinary;
  SuggestedLengths suggested = {};
};

}  // namespace knnbert::inline v0_1
