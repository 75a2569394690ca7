#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "knnbert/encoder/bert_config.hpp"

/// config.json of BERT's families, as Hugging Face's transformers reads it.
namespace knnbert::inline v0_1 {

inline constexpr std::pair<std::string_view, ActivationKind> activation_names[] = {
    {"gelu", ActivationKind::gelu},
    {"gelu_new", ActivationKind::gelu_tanh},
    {"gelu_pytorch_tanh", ActivationKind::gelu_tanh},
    {"gelu_python", ActivationKind::gelu},  // transformers' further spellings of the same
    {"gelu_fast", ActivationKind::gelu_tanh},
    {"relu", ActivationKind::relu}};

/// The classifier that config.json is to describe beside its encoder.
struct BertClassifier {
  std::vector<std::string> classes = {};
  bool sequence_classifier = false;  ///< one that transformers has too
  std::string problem = {};          ///< its problem_type, if it is said
};

/// Reads config.json.  Errors: IoError, FormatError. Whether the checkpoint has a pooler is not said there.
BertConfig read_bert_config(const std::filesystem::path& folder);

/// Writes config.json as transformers reads it.  Errors: IoError; FormatError for class names with malformed UTF-8.
void write_bert_config(const std::filesystem::path& folder, const BertConfig& c,
                       const std::optional<BertClassifier>& classifier = std::nullopt);

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/encoder/bert_config_files_impl.hpp"
#endif
