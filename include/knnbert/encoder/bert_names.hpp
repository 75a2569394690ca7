#pragma once
#include "knnbert/encoder/bert_layers.hpp"

namespace knnbert::inline v0_1 {

/// One tensor of a Hugging Face checkpoint and the rows of a parameter that it fills.
struct CheckpointTensor {
  std::string name;   // as BertModel names it, without prefix: BertFamily::name_of() gives another family's name
  index_t parameter;  // number in the table
  index_t first_row, rows;
};

/// How checkpoints call the parameters of an encoder. Query, key and value are three tensors there, one parameter here.
std::vector<CheckpointTensor> checkpoint_tensors(const BertLayers& layers, const ParameterTable& table);

/// The name that old checkpoints use for a layer normalization's parameter, or the name itself.
std::string old_style_name(const std::string& name);

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/encoder/bert_names_impl.hpp"
#endif
