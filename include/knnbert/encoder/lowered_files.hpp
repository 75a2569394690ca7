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

/// Whether a parameter of a network is its encoder's, not a head's.
inline bool of_encoder(const Parameter& p) {
  return !p.name.starts_with("classifier.") && !p.name.starts_with("projection.");
}

/// Writes the lowered weights of a block; `print` says of which encoder they are.  Errors: IoError.
void write_lowered(std::span<const Linear> layers, const ParameterBlock& values, const std::string& print,
                   const std::filesystem::path& path);

/// What it holds.
struct LoweredFile {
  std::vector<LoweredWeight> weights;
  std::string others;  ///< checksum_of_others(); empty in older files, which had another one
};

/// Reads it, unless it is of another encoder or precision.  Errors: IoError, FormatError.
std::optional<LoweredFile> read_lowered(std::span<const Linear> layers, const ParameterTable& table,
                                        Precision precision, const std::string& print,
                                        const std::filesystem::path& path);

/// 16 hexadecimal digits that change with any bit of the encoder's parameters that are not lowered; heads, which a
/// network for embeddings does not read, have a file with a checksum of its own.
std::string checksum_of_others(std::span<const Linear> layers, const ParameterBlock& values);

/// Fills a block with what predictions in a reduced precision need of an encoder: each large weight is lowered once it
/// is read, or taken from lowered.safetensors in `folder`, and its fp32 values are not kept. As no fingerprint can be
/// made of what is left, checksums tell whether the files are whole; older ones have none.
/// Errors: IoError, FormatError, OptionError.
template <class Checkpoint, class Encoder>
void read_for_predictions(const Checkpoint& checkpoint, const std::filesystem::path& folder, const Encoder& encoder,
                          Precision precision, ParameterBlock& values, const Workers& workers) {
  const std::vector<Linear> large = encoder.lowered_layers();
  const auto layer_of = [&](index_t parameter) {
    return std::find_if(large.begin(), large.end(), [&](const Linear& layer) { return layer.weight == parameter; });
  };
  std::optional<LoweredFile> cached;
  const auto print = checkpoint.fingerprint();
  if (print && committed_exists(folder / lowered_file))
    cached = read_lowered(large, values.table(), precision, *print, folder / lowered_file);
  if (print && (!cached || cached->others.empty())) checkpoint.tensors().require_checksum();
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
  if (cached) {
    const auto others = checksum_of_others(large, values);
    if (!cached->others.empty() && cached->others != others)
      raise<FormatError>("{}: the checksum of what is read of it is {}, {} expected: the file is damaged",
                         (folder / "model.safetensors").string(), others, cached->others);
    for (const Linear& layer : large) values.drop(layer.weight);
  }
  values.set_lowered(cached ? std::move(cached->weights) : std::move(lowered), precision);
}

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/encoder/lowered_files_impl.hpp"
#endif
