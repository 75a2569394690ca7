#pragma once
#include <string>
#include <vector>

#include "knnbert/text/added_tokens.hpp"
#include "knnbert/text/normalizer.hpp"

namespace knnbert::inline v0_1 {

/// Lengths that tokenizer files name, special tokens included; 0 where they name none. Nothing here applies them.
struct SuggestedLengths {
  index_t truncation = 0;  ///< tokenizer.json: what its users cut texts to unless they say otherwise
  index_t model = 0;       ///< tokenizer_config.json: what the model was made for
};

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
