#pragma once
#include "knnbert/encoder/bert_config_files.hpp"
#include "knnbert/encoder/bert_names.hpp"
#include "knnbert/encoder/concept.hpp"
#include "knnbert/encoder/sentence_settings.hpp"
#include "knnbert/io/safetensors_directory.hpp"
#include "knnbert/io/safetensors_writer.hpp"

/// Encoders of BERT's families in Hugging Face directories: config.json and model.safetensors, single or sharded.
namespace knnbert::inline v0_1 {

/// Adds the encoder's tensors to a file in preparation, as checkpoints of a family name and lay them out. `values` must
/// outlive it.
void add_bert_tensors(const BertLayers& layers, const ParameterBlock& values, const std::string& prefix,
                      SafeTensorsWriter& file, const BertFamily& family = bert_family);

/// An opened checkpoint: its shape at once, its values when a block asks for them. The file stays mapped meanwhile.
/// That it has every tensor in the configured shape is checked when it is opened, before memory is taken for values.
class BertCheckpoint {
 public:
  /// Errors: IoError, FormatError.
  explicit BertCheckpoint(const std::filesystem::path& folder);

  const BertConfig& config() const { return config_; }
  const SafeTensorsDirectory& tensors() const { return tensors_; }

  /// What save() wrote of all parameters; none in checkpoints of others.
  std::optional<std::string> fingerprint() const { return tensors_.metadata("fingerprint"); }

  /// Fills the encoder's parameters; F16, BF16 and F64 are converted. Tensors nobody asks for (position_ids, other
  /// heads) are ignored, whatever their type.  Errors: FormatError for a number that is not finite; the block may then
  /// be partly written.
  template <class Encoder>
  void read(const Encoder& encoder, ParameterBlock& values) const {
    read(
        encoder, values, [](index_t) { return true; }, [](index_t) {});
  }
  /// The same for the parameters that `wants` names; done(parameter) is called behind each.
  template <class Encoder, class Wants, class Done>
  void read(const Encoder& encoder, ParameterBlock& values, Wants&& wants, Done&& done) const {
    std::vector<float> buffer;
    const auto all = checkpoint_tensors(encoder.layers(), values.table());
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (!wants(all[i].parameter)) continue;
      fill(all[i], values, buffer);
      // a parameter's parts are neighbors
      if (i + 1 == all.size() || all[i + 1].parameter != all[i].parameter) done(all[i].parameter);
    }
  }

  /// Writes config.json and what sentence-transformers reads.  Errors: IoError.
  template <class Encoder>
  static void write_settings(const Encoder& encoder, const CheckpointFacts& facts,
                             const std::filesystem::path& folder) {
    write_settings_of(encoder.config(), facts, folder);
  }

  /// Writes model.safetensors; where transformers has a classifier that gives the same logits, with the head; of a
  /// regression it gives the values.  Errors: IoError.
  template <class Encoder>
  static void write_weights(const Encoder& encoder, const ParameterBlock& values, const CheckpointFacts& facts,
                            const std::filesystem::path& folder) {
    write_weights_of(encoder.layers(), *encoder.config().family, values, facts, folder);
  }

  /// Whether the folder holds these weights already.
  static bool holds_weights(const CheckpointFacts& facts, const std::filesystem::path& folder);

 private:
  /// Copies a tensor to where the parameter lies. The buffer serves from tensor to tensor.
  void fill(const CheckpointTensor& tensor, ParameterBlock& values, std::vector<float>& buffer) const;
  static void write_settings_of(const BertConfig& config, const CheckpointFacts& facts,
                                const std::filesystem::path& folder);
  static void write_weights_of(const BertLayers& layers, const BertFamily& family, const ParameterBlock& values,
                               const CheckpointFacts& facts, const std::filesystem::path& folder);
  TensorView source_of(const CheckpointTensor& tensor, const Parameter& parameter) const;
  TensorView find(const std::string& bert_name) const;

  std::string name_;
  BertConfig config_;
  SafeTensorsDirectory tensors_;
  std::string prefix_;
  std::string pooler_prefix_;  // of the pooler's tensors where a classifier has them, else empty
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/encoder/bert_files_impl.hpp"
#endif
