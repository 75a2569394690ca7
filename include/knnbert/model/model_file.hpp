#pragma once
#include <filesystem>
#include <utility>
#include <vector>

#include "knnbert/model/decision.hpp"
#include "knnbert/model/options.hpp"

/// knnbert.json: what a model directory says of the classifier around the encoder, which has files of its own.
namespace knnbert::inline v0_1 {

/// Its content as plain data.
struct ModelFile {
  std::vector<std::string> classes;
  index_t head_classes = 0;  ///< the first of them, which the head knows
  bool head_hidden_layer = true, head_trained = true, normalized = false;
  Pooling pooling = Pooling::mean;
  Feature feature = Feature::contrastive;
  index_t projection_width = 0, neighbors = 1, max_length = 0;
  std::uint64_t seed = 0;
  std::string precision = "fp32", fingerprint = {};
  std::string function = {};                                       ///< function_checksum(); older files have none
  std::vector<std::pair<std::string, std::string>> policies = {};  ///< role (voting, metric, ...) and name
  std::vector<std::pair<std::string, float>> numbers = {};         ///< what users tune of them
  Decision decision = {};
  TaskSettings task = {};
};

/// Errors: IoError; FormatError that names file and key.
ModelFile read_model_file(const std::filesystem::path& path);
/// Errors: IoError.
void write_model_file(const std::filesystem::path& path, const ModelFile& content);

namespace detail {

inline constexpr std::pair<Pooling, const char*> pooling_names[] = {
    {Pooling::pooler, "pooler"}, {Pooling::cls, "cls"}, {Pooling::mean, "mean"}};
// with a hidden layer or not
inline constexpr std::pair<bool, const char*> head_names[] = {{true, "mlp"}, {false, "linear"}};
inline constexpr std::pair<Task, const char*> task_names[] = {
    {Task::single_label, "single-label"}, {Task::multi_label, "multi-label"}, {Task::regression, "regression"}};
inline constexpr std::pair<Feature, const char*> feature_names[] = {{Feature::contrastive, "contrastive"},
                                                                    {Feature::embedding, "embedding"}};

template <class Names>
std::string name_in(const Names& names, auto value) {
  for (const auto& [known, name] : names)
    if (known == value) return name;
  return {};
}
template <class Names>
auto value_in(const Names& names, const std::string& name, std::string_view where) {
  std::string expected;
  for (const auto& [value, known] : names) {
    if (known == name) return value;
    expected += (expected.empty() ? "" : ", ") + std::string(known);
  }
  raise<FormatError>("{}: '{}' given, one of {} expected", where, name, expected);
}

/// A whole number of a file.  Errors: FormatError.
inline index_t require_within(index_t value, std::string_view key, index_t least, index_t most,
                              const std::string& where) {
  if (value < least || value > most)
    raise<FormatError>("{}: {}: {} given, {} to {} expected", where, key, value, least, most);
  return value;
}

/// f(), whose objections to an option are to a file here.
template <class F>
auto from_file(const std::string& where, F&& f) {
  try {
    return f();
  } catch (const OptionError& error) { raise<FormatError>("{}: {}", where, std::string_view(error.what())); }
}

}  // namespace detail
}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/model/model_file_impl.hpp"
#endif
