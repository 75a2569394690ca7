#pragma once
#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "knnbert/io/committed_file.hpp"
#include "knnbert/nn/linear.hpp"

/// Encoders for predictions alone: lowered weights replace their fp32 values, and a file beside the checkpoint,
/// lowered.safetensors, spares lowering them again.
namespace knnbert::inline v0_1 {

inline constexpr const char* lowered_file = "lowered.safetensors";

/// Writes the lowered weights of a block; `print` says of which encoder they are.  Errors: IoError.
void write_lowered(std::span<const Linear> layers, const ParameterBlock& values, const std::string& print,
                   const std::filesystem::path& path);

/// Reads them, unless they are of another encoder or precision.  Errors: IoError, FormatError.
std::optional<std::vector<LoweredWeight>> read_lowered(std::span<const Linear> layers, const ParameterTable& table,
                                                       Precision precision, const std::string& print,
                                                       const std::filesystem::path& path);

/// Fills a block with what predictions in a reduced precision need: each large weight is lowered once it is read, or
/// taken from lowered.safetensors in `folder`, and its fp32 values are not kept.  Errors: IoError, FormatError,
/// OptionError.
template <class Checkpoint, class Encoder>
void read_for_predictions(const Checkpoint& checkpoint, const std::filesystem::path& folder, const Encoder& encoder,
                          Precision precision, ParameterBlock& values, const Workers& workers) {
  const std::vector<Linear> large = encoder.lowered_layers();
  const auto layer_of = [&](index_t parameter) {
    return std::find_if(large.begin(), large.end(), [&](const Linear& layer) { return layer.weight == parameter; });
  };
  std::optional<std::vector<LoweredWeight>> cached;
  const auto print = checkpoint.fingerprint();
  if (print && committed_exists(folder / lowered_file))
    cached = read_lowered(large, values.table(), precision, *print, folder / lowered_file);
  std::vector<LoweredWeight> lowered(cached ? 0 : static_cast<std::size_t>(values.table().count()));
  checkpoint.read(
      encoder, values, [&](index_t parameter) { return !cached || layer_of(parameter) == large.end(); },
      [&](index_t parameter) {
        const auto layer = layer_of(parameter);
        if (layer == large.end()) return;
        encoder.lower_one(std::as_const(values), *layer, precision, lowered[static_cast<std::size_t>(parameter)],
                          workers);
        values.drop(parameter);
      });
  for (const Linear& layer : large)
    if (cached) values.drop(layer.weight);
  values.set_lowered(cached ? std::move(*cached) : std::move(lowered), precision);
}

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/encoder/lowered_files_impl.hpp"
#endif
