#pragma once
#include "knnbert/config.hpp"
#include "knnbert/encoder/bert_names.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE std::vector<CheckpointTensor> checkpoint_tensors(const BertLayers& layers, const ParameterTable& table) {
  std::vector<CheckpointTensor> tensors;
  const auto add = [&](index_t parameter) {
    if (parameter >= 0) tensors.push_back({table[parameter].name, parameter, 0, table[parameter].rows});
  };
  const auto add_projections = [&](index_t parameter, index_t width, const std::string& ending) {
    const std::string& name = table[parameter].name;  // ...attention.self.projections.weight or .bias
    const std::string prefix = name.substr(0, name.rfind("projections"));
    index_t part = 0;
    for (const char* which : {"query", "key", "value"})
      tensors.push_back({prefix + which + ending, parameter, width * part++, width});
  };
  for (const index_t p :
       {layers.words, layers.positions, layers.types, layers.embedding_norm.gain, layers.embedding_norm.bias})
    add(p);
  for (const Block& b : layers.blocks) {
    add_projections(b.projections.weight, b.width(), ".weight");
    add_projections(b.projections.bias, b.width(), ".bias");
    for (const Linear& l : {b.attention_output, b.intermediate, b.output}) add(l.weight), add(l.bias);
    for (const Norm& n : {b.attention_norm, b.output_norm}) add(n.gain), add(n.bias);
  }
  add(layers.pooler.weight);
  add(layers.pooler.bias);
  return tensors;
}

KNNBERT_INLINE std::string old_style_name(const std::string& name) {
  const auto norm = name.rfind("LayerNorm.");
  if (norm == std::string::npos) return name;
  return name.substr(0, norm) + (name.ends_with("weight") ? "LayerNorm.gamma" : "LayerNorm.beta");
}

}  // namespace knnbert::inline v0_1
