#pragma once
#include <optional>
#include <string>
#include <vector>

#include "knnbert/text/added_tokens.hpp"
#include "knnbert/text/suggested_lengths.hpp"

namespace knnbert::inline v0_1 {

/// The defaults are those of RoBERTa.
struct BytePairOptions {
  bool add_prefix_space = false;  ///< a blank before a text, or part of one between added tokens, that begins with none
  bool split_words = true;        ///< merge within words only, those of ByteLevelWords
  bool lowercase = false;
  std::optional<std::string> missing_token = {};  ///< for bytes without a token; without it they are skipped
  bool fuse_missing = false;                      ///< one such token for several bytes in a row
  std::string unknown_token = "<unk>";
  std::string classify_token = "<s>";
  std::string separate_token = "</s>";
  std::string pad_token = "<pad>";
  std::string mask_token = "<mask>";
  std::vector<AddedToken> added_tokens = {};  ///< beside the five above, which need not be repeated
  AddedTokenMatching matching = AddedTokenMatching::ordinary;
  SuggestedLengths suggested = {};
};

}  // namespace knnbert::inline v0_1
