#pragma once
#include "knnbert/encoder/lowered_files.hpp"
#include "knnbert/model/network.hpp"

namespace knnbert::inline v0_1 {

/// An encoder whose products read weights that a block keeps lowered, see BasicBert::lower_one.
template <class E>
concept LowersWeights = requires(const E& encoder, const ParameterBlock& values, const Linear& layer,
                                 Precision precision, LoweredWeight& to, const Workers& workers) {
  { encoder.lowered_layers() } -> std::same_as<std::vector<Linear>>;
  encoder.lower_one(values, layer, precision, to, workers);
};

/// Fills a network's encoder from a checkpoint of the folder, in the precision of the network's options. True if all
/// values are kept; for predictions in reduced precision only what they need is.  Errors: IoError, FormatError,
/// OptionError.
template <class Stack>
bool read_encoder(const typename Stack::encoder_type::checkpoint_type& checkpoint, const std::filesystem::path& folder,
                  Loading loading, Network<Stack>& network) {
  const auto& encoder = network.encoder();
  const Precision precision = network.options().precision;
  if constexpr (LowersWeights<typename Network<Stack>::encoder_type>)
    if (loading == Loading::predictions && precision != Precision::fp32) {
      read_for_predictions(checkpoint, folder, encoder, precision, network.values(), network.workers());
      return false;
    }
  checkpoint.read(encoder, network.values());
  network.lower(network.values());
  return true;
}

}  // namespace knnbert::inline v0_1
