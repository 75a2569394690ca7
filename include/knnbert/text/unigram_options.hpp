#pragma once
#include <string>
#include <vector>

#include "knnbert/text/added_tokens.hpp"
#include "knnbert/text/normalization_step.hpp"
#include "knnbert/text/splitting_step.hpp"
#include "knnbert/text/suggested_lengths.hpp"

namespace knnbert::inline v0_1 {

/// The defaults are those of XLM-R, but for its normalizer: a map that only its files have.
struct UnigramOptions {
  std::vector<NormalizationStep> normalizer = {};
  std::vector<SplittingStep> pre_tokenizer = {{.kind = SplittingStep::white_space}, {.kind = SplittingStep::metaspace}};
  bool byte_fallback = false;  ///< characters without a piece become their bytes' pieces <0x00> to <0xFF>, if there
  bool segments = false;       ///< pairs as BERT's: one separator between the texts, the second one of segment 1
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
