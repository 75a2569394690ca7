#pragma once
#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// Lengths that tokenizer files name, special tokens included; 0 where they name none. Nothing here applies them.
struct SuggestedLengths {
  index_t truncation = 0;  ///< tokenizer.json: what its users cut texts to unless they say otherwise
  index_t model = 0;       ///< tokenizer_config.json: what the model was made for
};

}  // namespace knnbert::inline v0_1
