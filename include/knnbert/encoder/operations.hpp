#pragma once
#include "knnbert/encoder/bert_config.hpp"
#include "knnbert/text/batch.hpp"

namespace knnbert::inline v0_1 {

/// Floating-point operations of an encoder's forward pass: products and attention at the texts' real lengths.
inline double forward_operations(const BertConfig& c, const Batch& batch) {
  const auto width = static_cast<double>(c.hidden_size), inner = static_cast<double>(c.intermediate_size);
  double operations = 0;
  for (index_t i = 0; i < batch.size(); ++i) {
    const auto length = static_cast<double>(batch.length(i));
    operations += length * 2 * (4 * width * width + 2 * width * inner) + 4 * length * length * width;
  }
  return operations * static_cast<double>(c.num_hidden_layers);
}

}  // namespace knnbert::inline v0_1
